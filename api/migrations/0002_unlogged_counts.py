"""Counts of calls need no log: losing them in a crash loses nothing."""

from django.db import migrations

from core.schema import LOCK_TIMEOUT


class Migration(migrations.Migration):
    dependencies = [("api", "0001_initial")]
    operations = [
        LOCK_TIMEOUT,
        migrations.RunSQL("ALTER TABLE api_callcount SET UNLOGGED", "ALTER TABLE api_callcount SET LOGGED"),
    ]
