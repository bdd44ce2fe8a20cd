"""Beside an issued invoice only counters and status move; money rows keep who, how much and when; billed days are only
ever cut or released; an issued invoice takes no further line.
"""

from django.db import migrations

from core.schema import LOCK_TIMEOUT, frozen, frozen_but

LINES = """
CREATE FUNCTION turnus_issued_takes_no_line() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- One look-up by key a line; lines of an invoice to be issued are written before it.
    IF EXISTS (
        SELECT 1 FROM fresh
        WHERE (SELECT i.sequence FROM billing_invoice i WHERE i.id = fresh.invoice_id) IS NOT NULL
    ) THEN
        RAISE EXCEPTION 'an issued invoice takes no further line'
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'billing_invoiceline_is_frozen';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER billing_invoiceline_added AFTER INSERT ON billing_invoiceline REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION turnus_issued_takes_no_line();
CREATE TRIGGER billing_invoiceline_moved AFTER UPDATE ON billing_invoiceline REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION turnus_issued_takes_no_line();
"""
LINES_BACK = """
DROP TRIGGER billing_invoiceline_added ON billing_invoiceline;
DROP TRIGGER billing_invoiceline_moved ON billing_invoiceline;
DROP FUNCTION turnus_issued_takes_no_line();
"""

DAYS = """
CREATE FUNCTION turnus_days_only_shrink() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.released_at IS NULL AND NEW.days <@ OLD.days
        AND (NEW.company_id, NEW.slot_id, NEW.component) = (OLD.company_id, OLD.slot_id, OLD.component)
        AND NEW.line_id IS NOT DISTINCT FROM OLD.line_id
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'billed days % are only ever cut or released: % refused', OLD.id, TG_OP
        USING ERRCODE = 'restrict_violation', CONSTRAINT = 'billing_billeddays_is_frozen';
END $$;
CREATE TRIGGER billing_billeddays_shrink BEFORE UPDATE OR DELETE ON billing_billeddays
    FOR EACH ROW EXECUTE FUNCTION turnus_days_only_shrink();
CREATE TRIGGER billing_billeddays_frozen_truncate BEFORE TRUNCATE ON billing_billeddays
    FOR EACH STATEMENT EXECUTE FUNCTION turnus_frozen();
"""
DAYS_BACK = """
DROP TRIGGER billing_billeddays_shrink ON billing_billeddays;
DROP TRIGGER billing_billeddays_frozen_truncate ON billing_billeddays;
DROP FUNCTION turnus_days_only_shrink();
"""


class Migration(migrations.Migration):
    dependencies = [("billing", "0006_company_alone_has_no_index"), ("core", "0004_events_stay_small")]
    operations = [
        LOCK_TIMEOUT,
        migrations.RunSQL(LINES, LINES_BACK),
        migrations.RunSQL(DAYS, DAYS_BACK),
        frozen_but(
            "billing_invoicebalance",
            "status", "paid_minor", "credit_used_minor", "credited_minor", "settled_by_credit_notes_minor",
            "written_off_minor", "open_minor", "closed_on", "sent_at",
            when="OLD.status <> 'draft'",
        ),
        frozen_but("billing_payment", "customer_id", "status", "reference", "note"),
        frozen_but("billing_refund", "status", "paid_on", "reference"),
        frozen("billing_credit"),
        frozen_but("billing_paymentbalance", "allocated_minor", "to_credit_minor", "refunded_minor", "left_minor"),
        frozen_but("billing_creditbalance", "used_minor", "refunded_minor", "left_minor"),
        frozen_but("billing_linecredit", "credited_minor"),
    ]  # fmt: skip
