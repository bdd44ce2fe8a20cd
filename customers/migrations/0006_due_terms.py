from django.db import migrations, models

from core.schema import LOCK_TIMEOUT


class Migration(migrations.Migration):
    dependencies = [
        ("customers", "0005_engine_guards"),
    ]

    operations = [
        LOCK_TIMEOUT,
        migrations.AddField(
            model_name="customer",
            name="payment_terms_from",
            field=models.CharField(
                blank=True,
                choices=[("issue", "the document's date"), ("month_end", "the end of its month")],
                db_default="",
                default="",
                help_text="Day from which the days until due are counted; empty: the plan's or the company's.",
                max_length=9,
                verbose_name="payment terms count from",
            ),
        ),
    ]
