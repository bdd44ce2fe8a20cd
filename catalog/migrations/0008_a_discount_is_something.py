"""A discount is a percentage or an amount, for a number of periods where it counts them.

A comparison with nothing is neither true nor false, and what is not false passes a check: nothing has to be ruled out.
"""

from django.db import migrations, models

from core.schema import LOCK_TIMEOUT


class Migration(migrations.Migration):
    dependencies = [
        ("catalog", "0007_due_terms"),
        ("core", "0007_due_terms"),
    ]

    operations = [
        LOCK_TIMEOUT,
        migrations.RemoveConstraint(
            model_name="discount",
            name="discount_percent_or_amount",
        ),
        migrations.RemoveConstraint(
            model_name="discount",
            name="discount_periods_counted",
        ),
        migrations.AddConstraint(
            model_name="discount",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("amount_minor__isnull", True), ("currency", ""), ("percent__isnull", False)),
                    models.Q(
                        ("amount_minor__gt", 0),
                        ("amount_minor__isnull", False),
                        ("percent__isnull", True),
                        models.Q(("currency", ""), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="discount_percent_or_amount",
            ),
        ),
        migrations.AddConstraint(
            model_name="discount",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("duration", "periods"), ("periods__gte", 1), ("periods__isnull", False)),
                    models.Q(models.Q(("duration", "periods"), _negated=True), ("periods__isnull", True)),
                    _connector="OR",
                ),
                name="discount_periods_counted",
            ),
        ),
    ]
