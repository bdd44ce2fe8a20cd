"""A draft of a run can be taken back: its billed days go with it, those of an issued invoice never do."""

from django.db import migrations

from core.schema import LOCK_TIMEOUT

DAYS = """
CREATE OR REPLACE FUNCTION turnus_days_only_shrink() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.released_at IS NULL AND NEW.days <@ OLD.days
        AND (NEW.company_id, NEW.slot_id, NEW.component) = (OLD.company_id, OLD.slot_id, OLD.component)
        AND NEW.line_id IS NOT DISTINCT FROM OLD.line_id
    THEN
        RETURN NEW;
    END IF;
    IF TG_OP = 'DELETE' AND EXISTS (
        SELECT 1 FROM billing_invoiceline l JOIN billing_invoice i ON i.id = l.invoice_id
        WHERE l.id = OLD.line_id AND i.sequence IS NULL
    ) THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'billed days % are only ever cut or released: % refused', OLD.id, TG_OP
        USING ERRCODE = 'restrict_violation', CONSTRAINT = 'billing_billeddays_is_frozen';
END $$;
"""
BACK = """
CREATE OR REPLACE FUNCTION turnus_days_only_shrink() RETURNS trigger LANGUAGE plpgsql AS $$
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
"""


class Migration(migrations.Migration):
    dependencies = [("billing", "0011_engine_guards")]
    operations = [LOCK_TIMEOUT, migrations.RunSQL(DAYS, BACK)]
