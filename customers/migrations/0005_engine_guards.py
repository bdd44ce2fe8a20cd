"""Proof about VAT ids is only ever appended to, and stays within its company."""

from django.db import migrations

from core.schema import LOCK_TIMEOUT, company_key, frozen


class Migration(migrations.Migration):
    dependencies = [("customers", "0004_engine"), ("core", "0005_engine")]
    operations = [
        LOCK_TIMEOUT,
        company_key("customers_vatcheck", "customer_id", "customers_customer", name="vat_check_customer_same_company"),
        frozen("customers_vatcheck"),
    ]
