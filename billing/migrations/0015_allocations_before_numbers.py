from django.db import migrations

from core.schema import LOCK_TIMEOUT


class Migration(migrations.Migration):
    """What pays an invoice is written before its number is taken, while nobody waits: the key is checked at commit."""

    dependencies = [("billing", "0014_credit_notes_of_zero")]

    operations = [
        LOCK_TIMEOUT,
        migrations.RunSQL(
            "ALTER TABLE billing_allocation ALTER CONSTRAINT allocation_invoice_same_company "
            "DEFERRABLE INITIALLY DEFERRED",
            "ALTER TABLE billing_allocation ALTER CONSTRAINT allocation_invoice_same_company NOT DEFERRABLE",
        ),
    ]
