"""Rows of two companies never meet."""

from django.db import migrations

from core.schema import LOCK_TIMEOUT, company_key


class Migration(migrations.Migration):
    dependencies = [("customers", "0001_initial"), ("core", "0002_guards")]
    operations = [
        LOCK_TIMEOUT,
        company_key("customers_address", "customer_id", "customers_customer", name="address_customer_same_company"),
        company_key("customers_contact", "customer_id", "customers_customer", name="contact_customer_same_company"),
        company_key("customers_message", "customer_id", "customers_customer", name="message_customer_same_company"),
        company_key("customers_note", "customer_id", "customers_customer", name="note_customer_same_company"),
    ]
