"""What terms, discounts given and lines of imports name is their company's own; a discount given is a number."""

from django.db import migrations, models

from core.schema import LOCK_TIMEOUT, company_key

KEYS = [
    ("slotterms", "product_id", "catalog_product", "slot_terms_product_same_company"),
    ("importline", "subscription_id", "subscriptions_subscription", "import_line_subscription_same_company"),
    ("agreeddiscount", "product_id", "catalog_product", "agreed_discount_product_same_company"),
    ("agreeddiscount", "price_id", "catalog_price", "agreed_discount_price_same_company"),
]


class Migration(migrations.Migration):
    dependencies = [("subscriptions", "0014_minimums")]
    operations = [
        LOCK_TIMEOUT,
        *[company_key(f"subscriptions_{table}", column, parent, name=name) for table, column, parent, name in KEYS],
        migrations.AddConstraint(
            model_name="agreeddiscount",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("amount_minor__isnull", True), ("percent__isnull", False)),
                    models.Q(("amount_minor__gt", 0), ("amount_minor__isnull", False), ("percent__isnull", True)),
                    _connector="OR",
                ),
                name="agreed_discount_percent_or_amount",
            ),
        ),
        migrations.AddConstraint(
            model_name="agreeddiscount",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("percent__isnull", True),
                    models.Q(("percent__gt", 0), ("percent__lte", 100)),
                    _connector="OR",
                ),
                name="agreed_discount_percent_range",
            ),
        ),
    ]
