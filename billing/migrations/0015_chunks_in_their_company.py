"""A part of a billing run is of the run's company."""

from django.db import migrations

from core.schema import LOCK_TIMEOUT, company_key


class Migration(migrations.Migration):
    dependencies = [("billing", "0015_allocations_before_numbers")]
    operations = [
        LOCK_TIMEOUT,
        company_key("billing_billingchunk", "run_id", "billing_billingrun", name="billing_chunk_run_same_company"),
    ]
