import django.core.validators
from django.db import migrations, models

from core.schema import LOCK_TIMEOUT


class Migration(migrations.Migration):
    dependencies = [
        ("core", "0004_events_stay_small"),
    ]

    operations = [
        LOCK_TIMEOUT,
        migrations.AddField(
            model_name="company",
            name="draft_hours",
            field=models.PositiveSmallIntegerField(
                default=0,
                help_text="Hours that invoices for subscriptions wait as drafts before they are issued; 0: issued at once.",
                validators=[django.core.validators.MaxValueValidator(720)],
                verbose_name="approval window",
            ),
        ),
        migrations.AddField(
            model_name="company",
            name="rate_change",
            field=models.CharField(
                choices=[
                    ("end_of_period", "the rate of its last day"),
                    ("split", "each part its own rate"),
                    ("tax_point", "the rate of the day it falls due"),
                ],
                default="end_of_period",
                help_text="Which rate a period takes that a change of rate falls into.",
                max_length=13,
                verbose_name="change of a tax rate",
            ),
        ),
    ]
