from django.db import migrations, models

from core.schema import LOCK_TIMEOUT


class Migration(migrations.Migration):
    dependencies = [
        ("core", "0006_sandboxes"),
    ]

    operations = [
        LOCK_TIMEOUT,
        migrations.AddField(
            model_name="company",
            name="payment_terms_from",
            field=models.CharField(
                choices=[("issue", "the document's date"), ("month_end", "the end of its month")],
                db_default="issue",
                default="issue",
                help_text="Day from which the days until due are counted.",
                max_length=9,
                verbose_name="payment terms count from",
            ),
        ),
    ]
