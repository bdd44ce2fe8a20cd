"""A customer that was merged into another one gets nothing new: no subscription, no way to pay, no invoice by hand.

The check comes after that of the reference, which waits for a merge that is going on; so it sees how that one ended.
"""

from django.db import migrations

from core.schema import LOCK_TIMEOUT

FUNCTION = migrations.RunSQL(
    """
    CREATE FUNCTION turnus_customer_not_merged() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF EXISTS (SELECT 1 FROM customers_customer WHERE id = NEW.customer_id AND merged_into_id IS NOT NULL) THEN
            RAISE EXCEPTION 'customer % was merged into another one: nothing new begins with it', NEW.customer_id
                USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_TABLE_NAME || '_customer_not_merged';
        END IF;
        RETURN NULL;
    END $$
    """,
    "DROP FUNCTION turnus_customer_not_merged()",
)


def guarded(table, when="true"):
    """Named so that it fires after the triggers that PostgreSQL makes for references."""
    return migrations.RunSQL(
        f"CREATE TRIGGER {table}_customer_not_merged AFTER INSERT ON {table} "
        f"FOR EACH ROW WHEN ({when}) EXECUTE FUNCTION turnus_customer_not_merged()",
        f"DROP TRIGGER {table}_customer_not_merged ON {table}",
    )


class Migration(migrations.Migration):
    dependencies = [
        ("crm", "0008_ties_both_ways"),
        ("customers", "0014_merging"),
        ("subscriptions", "0019_first_touch"),
        ("billing", "0027_seal_files"),
    ]

    operations = [
        LOCK_TIMEOUT,
        FUNCTION,
        guarded("subscriptions_subscription"),
        guarded("billing_paymentmethod"),
        # Billing runs write no invoice for whoever has no subscription; their many rows aren't asked one by one.
        guarded("billing_invoice", "NEW.run_id IS NULL"),
    ]
