"""Room on each page of slots: the day a slot was billed through moves on in place, without touching an index."""

from django.db import migrations

from core.schema import LOCK_TIMEOUT


class Migration(migrations.Migration):
    dependencies = [("subscriptions", "0003_slot_reopened_days")]
    operations = [
        LOCK_TIMEOUT,
        migrations.RunSQL(
            "ALTER TABLE subscriptions_slot SET (fillfactor = 70)", "ALTER TABLE subscriptions_slot RESET (fillfactor)"
        ),
    ]
