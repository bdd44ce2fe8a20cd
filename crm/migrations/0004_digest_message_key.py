"""The mail of a morning is of the company whose morning it is."""

from django.db import migrations

from core.schema import LOCK_TIMEOUT, company_key


class Migration(migrations.Migration):
    dependencies = [("crm", "0003_reminders"), ("customers", "0009_mail_states")]
    operations = [
        LOCK_TIMEOUT,
        company_key("crm_digest", "message_id", "customers_message", name="digest_message_same_company"),
    ]
