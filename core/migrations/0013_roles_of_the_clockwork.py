"""Roles that are as they came, or may change everything, get the rights that are new: tasks, reminders, webhooks."""

from django.db import migrations

from core.schema import LOCK_TIMEOUT

NEW = [
    "task.read", "task.write", "reminder.read", "reminder.write", "webhook.read", "webhook.write",
]  # fmt: skip
READ = [
    "customer.read", "catalog.read", "subscription.read", "usage.read", "invoice.read", "payment.read", "run.read",
    "report.read", "settings.read",
]  # fmt: skip
WRITE = [
    "customer.write", "subscription.start", "subscription.change", "subscription.cancel", "subscription.override",
    "usage.write", "invoice.issue", "invoice.credit", "payment.write", "run.start", "import.run",
]  # fmt: skip
#: The rights a role came with, and what it gets now.
CAME_WITH = [
    (READ + WRITE, [right for right in NEW if right != "webhook.write"]),
    (
        [
            "customer.read", "customer.write", "catalog.read", "subscription.read", "subscription.start",
            "subscription.change", "subscription.cancel", "usage.read", "invoice.read", "payment.read", "report.read",
        ],
        ["task.read", "task.write", "reminder.read", "reminder.write"],
    ),
    (
        [
            "customer.read", "customer.write", "catalog.read", "subscription.read", "subscription.change",
            "subscription.cancel", "usage.read", "invoice.read", "payment.read",
        ],
        ["task.read", "task.write"],
    ),
    (READ, [right for right in NEW if right.endswith(".read")]),
]  # fmt: skip


def more(rights):
    """What a role with these rights gets besides."""
    if "settings.write" in rights:
        return NEW
    return next((added for came, added in CAME_WITH if set(came) == set(rights)), [])


def add(apps, schema_editor):
    roles = apps.get_model("core", "Role")
    for role in roles.objects.all():
        rights = sorted({*role.rights, *more([right for right in role.rights if right not in NEW])})
        if rights != sorted(role.rights):
            role.rights = rights
            role.save(update_fields=["rights"])


class Migration(migrations.Migration):
    dependencies = [("core", "0012_tick_notes")]
    operations = [LOCK_TIMEOUT, migrations.RunPython(add, migrations.RunPython.noop)]
