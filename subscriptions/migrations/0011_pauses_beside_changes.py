"""A pause may be planned for the day of another planned change: it leaves the change's terms as they are."""

from django.db import migrations, models
from django.db.models import Q

from core.schema import LOCK_TIMEOUT


class Migration(migrations.Migration):
    dependencies = [("subscriptions", "0010_discounts_change_revenue")]
    operations = [
        LOCK_TIMEOUT,
        migrations.RemoveConstraint(model_name="change", name="change_one_planned_per_day"),
        migrations.AddConstraint(
            model_name="change",
            constraint=models.UniqueConstraint(
                fields=["subscription", "effective_on"],
                name="change_one_planned_per_day",
                condition=Q(status="planned") & ~Q(kind__in=["pause", "resume"]),
            ),
        ),
    ]
