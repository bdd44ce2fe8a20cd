"""The payment that paid a claim is of the claim's company."""

from django.db import migrations

from core.schema import LOCK_TIMEOUT, company_key


class Migration(migrations.Migration):
    dependencies = [("billing", "0024_debits")]
    operations = [
        LOCK_TIMEOUT,
        company_key("billing_claim", "payment_id", "billing_payment", name="claim_payment_same_company"),
    ]
