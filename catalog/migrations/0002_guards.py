"""Rows of two companies never meet; a sold price never changes."""

from django.db import migrations

from core.schema import LOCK_TIMEOUT, company_key, frozen


class Migration(migrations.Migration):
    dependencies = [("catalog", "0001_initial"), ("core", "0002_guards")]
    operations = [
        LOCK_TIMEOUT,
        company_key("catalog_product", "tax_category_id", "catalog_taxcategory", name="product_tax_same_company"),
        company_key("catalog_planitem", "plan_id", "catalog_plan", name="plan_item_plan_same_company"),
        company_key("catalog_planitem", "product_id", "catalog_product", name="plan_item_product_same_company"),
        company_key("catalog_price", "item_id", "catalog_planitem", name="price_item_same_company"),
        frozen("catalog_price"),
    ]
