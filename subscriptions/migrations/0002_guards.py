"""Terms of a slot never overlap, movements never change, rows of two companies never meet."""

from django.db import migrations

from core.schema import LOCK_TIMEOUT, company_key, frozen

KEYS = [
    ("subscription", "customer_id", "customers_customer", "subscription_customer_same_company"),
    ("subscription", "plan_id", "catalog_plan", "subscription_plan_same_company"),
    ("slot", "subscription_id", "subscriptions_subscription", "slot_subscription_same_company"),
    ("slot", "product_id", "catalog_product", "slot_product_same_company"),
    ("slotterms", "slot_id", "subscriptions_slot", "slot_terms_slot_same_company"),
    ("slotterms", "price_id", "catalog_price", "slot_terms_price_same_company"),
    ("movement", "customer_id", "customers_customer", "movement_customer_same_company"),
    ("movement", "subscription_id", "subscriptions_subscription", "movement_subscription_same_company"),
    ("movement", "slot_id", "subscriptions_slot", "movement_slot_same_company"),
    ("importline", "source_id", "subscriptions_import", "import_line_source_same_company"),
    ("importline", "customer_id", "customers_customer", "import_line_customer_same_company"),
]


class Migration(migrations.Migration):
    dependencies = [
        ("subscriptions", "0001_initial"),
        ("catalog", "0002_guards"),
        ("customers", "0002_guards"),
    ]
    operations = [
        LOCK_TIMEOUT,
        *[company_key(f"subscriptions_{table}", column, parent, name=name) for table, column, parent, name in KEYS],
        migrations.RunSQL(
            """
            ALTER TABLE subscriptions_slotterms ADD CONSTRAINT slot_terms_never_overlap
            EXCLUDE USING gist (slot_id WITH =, daterange(from_on, until_on) WITH &&)
            """,
            "ALTER TABLE subscriptions_slotterms DROP CONSTRAINT slot_terms_never_overlap",
        ),
        frozen("subscriptions_movement"),
    ]
