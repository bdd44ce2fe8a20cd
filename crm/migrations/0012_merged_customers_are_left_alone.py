"""Nothing living hangs on a customer that was merged into another one: no note, contact, address, task, activity, lead
or draft of a quote, neither as a new row nor by a change of whose it is.

The function and why it comes after the reference's own check: `0009_merged_customers_get_nothing_new`.
"""

from django.db import migrations

from core.schema import LOCK_TIMEOUT

NEW = ("customers_address", "customers_contact", "customers_note", "crm_activity", "crm_lead", "crm_quote", "crm_task")
MOVED = (*NEW, "billing_paymentmethod", "subscriptions_subscription")


def guarded(table, name, event, when):
    return migrations.RunSQL(
        f"CREATE TRIGGER {name} AFTER {event} ON {table} FOR EACH ROW WHEN ({when}) "
        f"EXECUTE FUNCTION turnus_customer_not_merged()",
        f"DROP TRIGGER {name} ON {table}",
    )


class Migration(migrations.Migration):
    dependencies = [("crm", "0011_ties_by_age")]

    operations = [
        LOCK_TIMEOUT,
        *(guarded(name, f"{name}_customer_not_merged", "INSERT", "NEW.customer_id IS NOT NULL") for name in NEW),
        *(
            guarded(
                name, f"{name}_moved_customer_not_merged", "UPDATE OF customer_id",
                "NEW.customer_id IS DISTINCT FROM OLD.customer_id AND NEW.customer_id IS NOT NULL",
            )
            for name in MOVED
        ),
    ]  # fmt: skip
