from django.db import migrations, models

from core.schema import LOCK_TIMEOUT


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0012_drafts_of_runs"),
    ]

    operations = [
        LOCK_TIMEOUT,
        migrations.AddField(
            model_name="invoice",
            name="terms_days",
            field=models.PositiveSmallIntegerField(
                blank=True, help_text="Days until due that a draft is issued with; empty: as its dates say.", null=True
            ),
        ),
        migrations.AddField(
            model_name="invoice",
            name="terms_from",
            field=models.CharField(
                choices=[("issue", "the document's date"), ("month_end", "the end of its month")],
                db_default="issue",
                default="issue",
                help_text="Day from which those days are counted.",
                max_length=9,
            ),
        ),
        migrations.AlterField(
            model_name="account",
            name="role",
            field=models.CharField(
                choices=[
                    ("receivable", "receivables"),
                    ("revenue", "revenue"),
                    ("tax", "taxes due"),
                    ("cash", "cash and bank"),
                    ("customer_credit", "customers' credit"),
                    ("unallocated", "payments not allocated"),
                    ("write_off", "losses on receivables"),
                    ("prepaid", "credit sold in advance"),
                ],
                help_text="What it is used for.",
                max_length=20,
            ),
        ),
        migrations.AlterField(
            model_name="posting",
            name="cause_kind",
            field=models.CharField(
                help_text="invoice, credit_note, payment, allocation, refund, write_off, credit.", max_length=12
            ),
        ),
    ]
