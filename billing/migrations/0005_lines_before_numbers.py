"""Lines and balances are written before the numbers are taken, so their invoice is looked for at commit.

Everybody who issues waits for the number counter: what can be written before it is. Rows that name no invoice are
refused all the same.
"""

from django.db import migrations

from core.schema import LOCK_TIMEOUT

KEYS = [
    ("billing_invoiceline", "invoice_line_invoice_same_company"),
    ("billing_invoicebalance", "invoice_balance_invoice"),
]


class Migration(migrations.Migration):
    dependencies = [("billing", "0004_run_zones_and_release")]
    operations = [
        LOCK_TIMEOUT,
        *[
            migrations.RunSQL(
                f"ALTER TABLE {table} ALTER CONSTRAINT {name} DEFERRABLE INITIALLY DEFERRED",
                f"ALTER TABLE {table} ALTER CONSTRAINT {name} NOT DEFERRABLE",
            )
            for table, name in KEYS
        ],
    ]
