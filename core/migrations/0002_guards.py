"""The trail is only appended to; a place for throttles and sign-in codes."""

from django.core.management import call_command
from django.db import migrations

from core.schema import FROZEN_FUNCTION, LOCK_TIMEOUT, company_key, frozen, plain_key


def make_cache_table(apps, schema_editor):
    call_command("createcachetable", database=schema_editor.connection.alias, verbosity=0)


class Migration(migrations.Migration):
    dependencies = [("core", "0001_initial")]
    operations = [
        LOCK_TIMEOUT,
        migrations.RunPython(make_cache_table, migrations.RunPython.noop),
        FROZEN_FUNCTION,
        frozen("core_auditentry"),
        frozen("core_event"),
        plain_key("core_event", "company_id", "core_company", name="event_company"),
        company_key("core_membership", "role_id", "core_role", name="membership_role_same_company"),
    ]
