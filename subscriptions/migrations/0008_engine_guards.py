"""Changes, one-offs, discounts and usage stay within their company; a usage event is only ever appended."""

from django.db import migrations

from core.schema import LOCK_TIMEOUT, company_key, frozen

KEYS = [
    ("slot", "meter_id", "catalog_meter", "slot_meter_same_company"),
    ("slot", "item_id", "catalog_planitem", "slot_item_same_company"),
    ("change", "subscription_id", "subscriptions_subscription", "change_subscription_same_company"),
    ("change", "plan_id", "catalog_plan", "change_plan_same_company"),
    ("oneoff", "subscription_id", "subscriptions_subscription", "one_off_subscription_same_company"),
    ("oneoff", "product_id", "catalog_product", "one_off_product_same_company"),
    ("oneoff", "price_id", "catalog_price", "one_off_price_same_company"),
    ("agreeddiscount", "subscription_id", "subscriptions_subscription", "agreed_discount_subscription_same_company"),
    ("agreeddiscount", "discount_id", "catalog_discount", "agreed_discount_discount_same_company"),
    ("agreeddiscount", "code_id", "catalog_offercode", "agreed_discount_code_same_company"),
    ("usageevent", "subscription_id", "subscriptions_subscription", "usage_event_subscription_same_company"),
    ("usageevent", "meter_id", "catalog_meter", "usage_event_meter_same_company"),
    ("usagethreshold", "slot_id", "subscriptions_slot", "usage_threshold_slot_same_company"),
]


class Migration(migrations.Migration):
    dependencies = [("subscriptions", "0007_engine"), ("catalog", "0005_engine_guards")]
    operations = [
        LOCK_TIMEOUT,
        *[company_key(f"subscriptions_{table}", column, parent, name=name) for table, column, parent, name in KEYS],
        frozen("subscriptions_usageevent"),
    ]
