"""What was rated, used and deducted is only ever appended to, and stays within its company; credit may lapse."""

from django.db import migrations

from core.schema import LOCK_TIMEOUT, company_key, frozen, frozen_but, plain_key

KEYS = [
    ("ratedusage", "slot_id", "subscriptions_slot", "rated_usage_slot_same_company"),
    ("discountuse", "agreed_id", "subscriptions_agreeddiscount", "discount_use_discount_same_company"),
    ("credituse", "credit_id", "billing_credit", "credit_use_credit_same_company"),
    ("credit", "invoice_id", "billing_invoice", "credit_invoice_same_company"),
    ("invoice", "replaces_id", "billing_invoice", "invoice_replaces_same_company"),
]
UNGUARDED = """
DROP TRIGGER billing_creditbalance_frozen ON billing_creditbalance;
DROP TRIGGER billing_creditbalance_frozen_truncate ON billing_creditbalance;
"""


class Migration(migrations.Migration):
    dependencies = [("billing", "0010_engine"), ("subscriptions", "0008_engine_guards")]
    operations = [
        LOCK_TIMEOUT,
        *[company_key(f"billing_{table}", column, parent, name=name) for table, column, parent, name in KEYS],
        plain_key("subscriptions_oneoff", "line_id", "billing_invoiceline", name="one_off_line_exists"),
        frozen("billing_ratedusage"),
        frozen("billing_discountuse"),
        frozen("billing_credituse"),
        migrations.RunSQL(UNGUARDED, migrations.RunSQL.noop),
        frozen_but("billing_creditbalance", "used_minor", "refunded_minor", "lapsed_minor", "left_minor"),
    ]
