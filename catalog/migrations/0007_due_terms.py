from django.db import migrations, models

from core.schema import LOCK_TIMEOUT


class Migration(migrations.Migration):
    dependencies = [
        ("catalog", "0006_rates_say_where_they_come_from"),
    ]

    operations = [
        LOCK_TIMEOUT,
        migrations.AddField(
            model_name="plan",
            name="payment_terms_from",
            field=models.CharField(
                blank=True,
                choices=[("issue", "the document's date"), ("month_end", "the end of its month")],
                db_default="",
                default="",
                help_text="Day from which the days until due are counted; empty: the customer's or the company's.",
                max_length=9,
                verbose_name="payment terms count from",
            ),
        ),
    ]
