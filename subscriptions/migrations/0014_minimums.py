"""Up to which day minimums are closed, on one position and over all."""

from django.db import migrations, models

from core.schema import LOCK_TIMEOUT


class Migration(migrations.Migration):
    dependencies = [("subscriptions", "0013_due_terms")]
    operations = [
        LOCK_TIMEOUT,
        migrations.AddField(
            model_name="slot",
            name="minimum_through_on",
            field=models.DateField(
                blank=True, help_text="Last day whose minimum is closed; empty: none is yet.", null=True
            ),
        ),
        migrations.AddField(
            model_name="subscription",
            name="minimum_through_on",
            field=models.DateField(
                blank=True,
                help_text="Last day whose minimum over all positions is closed; empty: none is yet.",
                null=True,
            ),
        ),
    ]
