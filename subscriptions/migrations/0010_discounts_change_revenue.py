"""A discount knows the next day on which revenue changes because of it."""

from django.db import migrations, models

from core.schema import LOCK_TIMEOUT


class Migration(migrations.Migration):
    dependencies = [("subscriptions", "0009_usage_marks")]
    operations = [
        LOCK_TIMEOUT,
        migrations.AddField(
            model_name="agreeddiscount",
            name="next_change_on",
            field=models.DateField(
                help_text="Next day on which revenue changes because of it; empty: none is known.", null=True
            ),
        ),
    ]
