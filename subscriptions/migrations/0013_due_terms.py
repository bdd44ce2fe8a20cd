from django.db import migrations, models

from core.schema import LOCK_TIMEOUT


class Migration(migrations.Migration):
    dependencies = [
        ("subscriptions", "0012_terms_name_their_product"),
    ]

    operations = [
        LOCK_TIMEOUT,
        migrations.AddField(
            model_name="subscription",
            name="payment_terms_from",
            field=models.CharField(
                blank=True,
                choices=[("issue", "the document's date"), ("month_end", "the end of its month")],
                db_default="",
                default="",
                help_text="Day from which the days until due are counted; empty: the plan's, customer's or company's.",
                max_length=9,
                verbose_name="payment terms count from",
            ),
        ),
        migrations.AddField(
            model_name="slotterms",
            name="settles_until",
            field=models.DateField(
                help_text="First day for which added units are not charged again; empty: all that is billed.", null=True
            ),
        ),
    ]
