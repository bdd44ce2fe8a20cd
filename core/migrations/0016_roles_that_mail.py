"""Roles that deal with customers get the rights to segments and mailings: see, or write and send, as far as they go."""

from django.db import migrations

from core.schema import LOCK_TIMEOUT

READ = ["segment.read", "campaign.read"]
WRITE = ["segment.write", "campaign.write"]


def more(rights):
    """What a role with these rights gets besides."""
    if "settings.write" in rights or "reminder.write" in rights:
        return READ + WRITE
    return READ if "reminder.read" in rights else []


def add(apps, schema_editor):
    roles = apps.get_model("core", "Role")
    for role in roles.objects.all():
        rights = sorted({*role.rights, *more(role.rights)})
        if rights != sorted(role.rights):
            role.rights = rights
            role.save(update_fields=["rights"])


class Migration(migrations.Migration):
    dependencies = [("core", "0015_roles_that_sell")]
    operations = [LOCK_TIMEOUT, migrations.RunPython(add, migrations.RunPython.noop)]
