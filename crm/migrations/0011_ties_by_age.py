"""Runs of ties and what they heard are found by their age."""

from django.db import migrations, models

from core.schema import LOCK_TIMEOUT


class Migration(migrations.Migration):
    dependencies = [("crm", "0010_bulk_acts")]

    operations = [
        LOCK_TIMEOUT,
        migrations.AddIndex(
            model_name="tierun", index=models.Index(fields=["company", "ended_at"], name="tie_run_by_age")
        ),
        migrations.AddIndex(
            model_name="tiechange",
            index=models.Index(
                condition=models.Q(("what__in", ["email", "consent"]), _negated=True),
                fields=["company", "at"],
                name="tie_change_by_age",
            ),
        ),
    ]
