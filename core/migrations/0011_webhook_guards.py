"""A delivery for each endpoint that wants to hear of an event, written with the event by the database itself.

Once per statement over its new rows, so that events written by the thousand cost one more statement; while nobody
listens, one look at a small table.
"""

from django.db import migrations

from core.schema import LOCK_TIMEOUT, company_key, frozen, plain_key

UUID7 = migrations.RunSQL(
    """
    CREATE FUNCTION turnus_uuid7() RETURNS uuid LANGUAGE sql VOLATILE AS $$
        -- RFC 9562: 48 bits of Unix milliseconds in front of a random UUID whose version 4 becomes 7.
        SELECT encode(
            set_bit(set_bit(
                overlay(
                    uuid_send(gen_random_uuid())
                    PLACING substring(int8send((extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3)
                    FROM 1 FOR 6
                ), 52, 1), 53, 1),
            'hex')::uuid
    $$
    """,
    "DROP FUNCTION turnus_uuid7()",
)

DELIVERIES = migrations.RunSQL(
    """
    CREATE FUNCTION turnus_webhook_deliveries() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF EXISTS (SELECT FROM core_webhookendpoint WHERE is_active) THEN
            INSERT INTO core_webhookdelivery (
                company_id, public_id, endpoint_id, event_id, state, tries, lease_by, last_error, created_at
            )
            SELECT fresh.company_id, turnus_uuid7(), endpoint.id, fresh.id, 'waiting', 0, '', '', now()
            FROM fresh_events fresh
            JOIN core_webhookendpoint endpoint ON endpoint.company_id = fresh.company_id AND endpoint.is_active
            WHERE CASE
                -- A test is for the endpoint that is tested.
                WHEN fresh.type = 'webhook_endpoint.tested' THEN endpoint.id = fresh.subject_id
                ELSE endpoint.types::text[] && ARRAY['*', fresh.type::text, split_part(fresh.type, '.', 1) || '.*']
            END;
        END IF;
        RETURN NULL;
    END $$;
    CREATE TRIGGER core_event_webhooks AFTER INSERT ON core_event
        REFERENCING NEW TABLE AS fresh_events
        FOR EACH STATEMENT EXECUTE FUNCTION turnus_webhook_deliveries();
    """,
    """
    DROP TRIGGER core_event_webhooks ON core_event;
    DROP FUNCTION turnus_webhook_deliveries();
    """,
)

# What is due, whose time is empty for "at once"; what is under way.
INDEXES = migrations.RunSQL(
    """
    CREATE INDEX webhook_delivery_due ON core_webhookdelivery (endpoint_id, (COALESCE(due_at, '-infinity')), id)
        WHERE state = 'waiting';
    CREATE INDEX webhook_delivery_flying ON core_webhookdelivery (endpoint_id, lease_until)
        WHERE state = 'waiting' AND lease_until IS NOT NULL;
    """,
    "DROP INDEX webhook_delivery_due; DROP INDEX webhook_delivery_flying;",
)


class Migration(migrations.Migration):
    dependencies = [("core", "0010_webhooks")]
    operations = [
        LOCK_TIMEOUT,
        company_key(
            "core_webhookdelivery", "endpoint_id", "core_webhookendpoint", name="webhook_delivery_endpoint_same_company"
        ),
        plain_key("core_webhookdelivery", "event_id", "core_event", name="webhook_delivery_event"),
        company_key("core_webhooktry", "delivery_id", "core_webhookdelivery", name="webhook_try_delivery_same_company"),
        frozen("core_webhooktry"),
        INDEXES,
        UUID7,
        DELIVERIES,
    ]
