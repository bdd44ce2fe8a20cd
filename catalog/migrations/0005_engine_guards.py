"""Meters, discounts and codes of two companies never meet."""

from django.db import migrations

from core.schema import LOCK_TIMEOUT, company_key


class Migration(migrations.Migration):
    dependencies = [("catalog", "0004_engine")]
    operations = [
        LOCK_TIMEOUT,
        company_key("catalog_planitem", "meter_id", "catalog_meter", name="plan_item_meter_same_company"),
        company_key("catalog_discount", "product_id", "catalog_product", name="discount_product_same_company"),
        company_key("catalog_discount", "price_id", "catalog_price", name="discount_price_same_company"),
        company_key("catalog_discount", "campaign_id", "catalog_campaign", name="discount_campaign_same_company"),
        company_key("catalog_offercode", "discount_id", "catalog_discount", name="offer_code_discount_same_company"),
    ]
