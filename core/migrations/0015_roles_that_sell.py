"""Roles that deal with customers get the rights to leads and quotes: see, change, send, as far as they go."""

from django.db import migrations

from core.schema import LOCK_TIMEOUT

READ = ["lead.read", "quote.read"]
WRITE = ["lead.write", "quote.write", "quote.send"]


def more(rights):
    """What a role with these rights gets besides."""
    if "settings.write" in rights or {"customer.write", "subscription.start"} <= set(rights):
        return READ + WRITE
    return READ if "customer.read" in rights else []


def add(apps, schema_editor):
    roles = apps.get_model("core", "Role")
    for role in roles.objects.all():
        rights = sorted({*role.rights, *more(role.rights)})
        if rights != sorted(role.rights):
            role.rights = rights
            role.save(update_fields=["rights"])


class Migration(migrations.Migration):
    dependencies = [("core", "0014_mail")]
    operations = [LOCK_TIMEOUT, migrations.RunPython(add, migrations.RunPython.noop)]
