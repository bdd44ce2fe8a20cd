"""The database's half of the promises: issued is frozen, numbers have no gap, the chain has no fork,
entries balance, a cancellation wins, rows of two companies never meet.
"""

from django.db import migrations

from core.schema import LOCK_TIMEOUT, company_key, frozen, plain_key

KEYS = [
    ("invoice", "customer_id", "customers_customer", "invoice_customer_same_company"),
    ("invoiceline", "invoice_id", "billing_invoice", "invoice_line_invoice_same_company"),
    ("invoiceline", "slot_id", "subscriptions_slot", "invoice_line_slot_same_company"),
    ("billeddays", "slot_id", "subscriptions_slot", "billed_days_slot_same_company"),
    ("creditnote", "customer_id", "customers_customer", "credit_note_customer_same_company"),
    ("creditnote", "invoice_id", "billing_invoice", "credit_note_invoice_same_company"),
    ("creditnoteline", "credit_note_id", "billing_creditnote", "credit_note_line_note_same_company"),
    ("posting", "account_id", "billing_account", "posting_account_same_company"),
    ("payment", "customer_id", "customers_customer", "payment_customer_same_company"),
    ("credit", "customer_id", "customers_customer", "credit_customer_same_company"),
    ("credit", "credit_note_id", "billing_creditnote", "credit_credit_note_same_company"),
    ("credit", "payment_id", "billing_payment", "credit_payment_same_company"),
    ("allocation", "payment_id", "billing_payment", "allocation_payment_same_company"),
    ("allocation", "credit_id", "billing_credit", "allocation_credit_same_company"),
    ("allocation", "invoice_id", "billing_invoice", "allocation_invoice_same_company"),
    ("refund", "customer_id", "customers_customer", "refund_customer_same_company"),
    ("refund", "credit_id", "billing_credit", "refund_credit_same_company"),
    ("refund", "payment_id", "billing_payment", "refund_payment_same_company"),
]

#: An issued document never changes; its rendered PDF may be filled in once. A draft is free.
DOCUMENTS = """
CREATE FUNCTION turnus_document_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.sequence IS NULL THEN
        RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
    END IF;
    IF TG_OP = 'UPDATE' AND OLD.pdf_id IS NULL THEN
        OLD.pdf_id := NEW.pdf_id;
        IF OLD IS NOT DISTINCT FROM NEW THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION 'document % is issued: % refused', OLD.number, TG_OP
        USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_TABLE_NAME || '_is_frozen';
END $$;

CREATE FUNCTION turnus_line_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM billing_invoice WHERE id = OLD.invoice_id AND sequence IS NOT NULL) THEN
        RAISE EXCEPTION 'line % belongs to an issued invoice: % refused', OLD.id, TG_OP
            USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_TABLE_NAME || '_is_frozen';
    END IF;
    RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
END $$;

CREATE TRIGGER billing_invoice_frozen BEFORE UPDATE OR DELETE ON billing_invoice
    FOR EACH ROW EXECUTE FUNCTION turnus_document_frozen();
CREATE TRIGGER billing_creditnote_frozen BEFORE UPDATE OR DELETE ON billing_creditnote
    FOR EACH ROW EXECUTE FUNCTION turnus_document_frozen();
CREATE TRIGGER billing_invoiceline_frozen BEFORE UPDATE OR DELETE ON billing_invoiceline
    FOR EACH ROW EXECUTE FUNCTION turnus_line_frozen();
CREATE TRIGGER billing_invoice_frozen_truncate BEFORE TRUNCATE ON billing_invoice
    FOR EACH STATEMENT EXECUTE FUNCTION turnus_frozen();
CREATE TRIGGER billing_creditnote_frozen_truncate BEFORE TRUNCATE ON billing_creditnote
    FOR EACH STATEMENT EXECUTE FUNCTION turnus_frozen();
CREATE TRIGGER billing_invoiceline_frozen_truncate BEFORE TRUNCATE ON billing_invoiceline
    FOR EACH STATEMENT EXECUTE FUNCTION turnus_frozen();
"""
DOCUMENTS_BACK = """
DROP TRIGGER billing_invoice_frozen ON billing_invoice;
DROP TRIGGER billing_creditnote_frozen ON billing_creditnote;
DROP TRIGGER billing_invoiceline_frozen ON billing_invoiceline;
DROP TRIGGER billing_invoice_frozen_truncate ON billing_invoice;
DROP TRIGGER billing_creditnote_frozen_truncate ON billing_creditnote;
DROP TRIGGER billing_invoiceline_frozen_truncate ON billing_invoiceline;
DROP FUNCTION turnus_document_frozen();
DROP FUNCTION turnus_line_frozen();
"""

#: New numbers continue their series without gap and their dates never go back.
NUMBERS = """
CREATE FUNCTION turnus_numbers_continue() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    part record;
    before_on date;
BEGIN
    FOR part IN
        SELECT company_id, year, min(sequence) AS first, max(sequence) AS last, count(*) AS many,
               min(issued_on) AS first_on, bool_and(steps) AS ascending
        FROM (
            SELECT company_id, year, sequence, issued_on,
                   issued_on >= lag(issued_on, 1, issued_on) OVER (PARTITION BY company_id, year ORDER BY sequence) AS steps
            FROM fresh WHERE sequence IS NOT NULL
        ) numbered
        GROUP BY company_id, year
    LOOP
        IF part.last - part.first + 1 <> part.many THEN
            RAISE EXCEPTION '% numbers of % leave a gap', TG_TABLE_NAME, part.year
                USING ERRCODE = 'check_violation', CONSTRAINT = TG_TABLE_NAME || '_numbers_have_no_gap';
        END IF;
        IF part.first > 1 THEN
            EXECUTE format('SELECT issued_on FROM %I WHERE company_id = $1 AND year = $2 AND sequence = $3', TG_TABLE_NAME)
                INTO before_on USING part.company_id, part.year, part.first - 1;
            IF before_on IS NULL THEN
                RAISE EXCEPTION '% number % of % does not follow its predecessor', TG_TABLE_NAME, part.first, part.year
                    USING ERRCODE = 'check_violation', CONSTRAINT = TG_TABLE_NAME || '_numbers_have_no_gap';
            END IF;
        END IF;
        IF NOT part.ascending OR before_on > part.first_on THEN
            RAISE EXCEPTION '% dates of % go back', TG_TABLE_NAME, part.year
                USING ERRCODE = 'check_violation', CONSTRAINT = TG_TABLE_NAME || '_dates_ascend';
        END IF;
    END LOOP;
    RETURN NULL;
END $$;

CREATE FUNCTION turnus_draft_number_continues() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    before_on date;
BEGIN
    IF NEW.sequence > 1 THEN
        EXECUTE format('SELECT issued_on FROM %I WHERE company_id = $1 AND year = $2 AND sequence = $3', TG_TABLE_NAME)
            INTO before_on USING NEW.company_id, NEW.year, NEW.sequence - 1;
        IF before_on IS NULL OR before_on > NEW.issued_on THEN
            RAISE EXCEPTION '% number % does not follow its predecessor', TG_TABLE_NAME, NEW.sequence
                USING ERRCODE = 'check_violation', CONSTRAINT = TG_TABLE_NAME || '_numbers_have_no_gap';
        END IF;
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER billing_invoice_numbers AFTER INSERT ON billing_invoice REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION turnus_numbers_continue();
CREATE TRIGGER billing_creditnote_numbers AFTER INSERT ON billing_creditnote REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION turnus_numbers_continue();
CREATE TRIGGER billing_invoice_draft_number AFTER UPDATE ON billing_invoice
    FOR EACH ROW WHEN (OLD.sequence IS NULL AND NEW.sequence IS NOT NULL)
    EXECUTE FUNCTION turnus_draft_number_continues();
"""
NUMBERS_BACK = """
DROP TRIGGER billing_invoice_numbers ON billing_invoice;
DROP TRIGGER billing_creditnote_numbers ON billing_creditnote;
DROP TRIGGER billing_invoice_draft_number ON billing_invoice;
DROP FUNCTION turnus_numbers_continue();
DROP FUNCTION turnus_draft_number_continues();
"""

BALANCED = """
CREATE FUNCTION turnus_entries_balance() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    wrong bigint;
BEGIN
    SELECT entry INTO wrong FROM fresh GROUP BY entry, currency HAVING sum(amount_minor) <> 0 OR count(*) < 2 LIMIT 1;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'entry % does not balance', wrong
            USING ERRCODE = 'check_violation', CONSTRAINT = 'posting_entries_balance';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER billing_posting_balance AFTER INSERT ON billing_posting REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION turnus_entries_balance();
CREATE SEQUENCE billing_entry_seq;
"""
BALANCED_BACK = """
DROP TRIGGER billing_posting_balance ON billing_posting;
DROP FUNCTION turnus_entries_balance();
DROP SEQUENCE billing_entry_seq;
"""

CHAIN = """
CREATE FUNCTION turnus_chain_grows() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    last_hash text;
BEGIN
    SELECT sha256 INTO last_hash FROM billing_chainlink WHERE company_id = NEW.company_id AND height = NEW.height - 1;
    IF (NEW.height = 1 AND NEW.previous_sha256 <> '') OR (NEW.height > 1 AND NEW.previous_sha256 IS DISTINCT FROM last_hash) THEN
        RAISE EXCEPTION 'chain link % does not continue the chain', NEW.height
            USING ERRCODE = 'check_violation', CONSTRAINT = 'chain_link_continues';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER billing_chainlink_grows AFTER INSERT ON billing_chainlink
    FOR EACH ROW EXECUTE FUNCTION turnus_chain_grows();
"""
CHAIN_BACK = "DROP TRIGGER billing_chainlink_grows ON billing_chainlink; DROP FUNCTION turnus_chain_grows();"

#: No billed day lies after the last day of service; forfeited ones may.
CANCEL_WINS = """
CREATE FUNCTION turnus_days_end_with_service() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    wrong bigint;
BEGIN
    SELECT fresh.id INTO wrong
    FROM fresh
    JOIN subscriptions_slot slot ON slot.id = fresh.slot_id
    JOIN subscriptions_subscription sub ON sub.id = slot.subscription_id
    WHERE fresh.kind = 'billed' AND fresh.released_at IS NULL AND sub.ends_on IS NOT NULL
      AND upper(fresh.days) > sub.ends_on + 1
    LIMIT 1;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'billed days % lie after the last day of service', wrong
            USING ERRCODE = 'check_violation', CONSTRAINT = 'billed_days_end_with_service';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER billing_billeddays_end AFTER INSERT ON billing_billeddays REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION turnus_days_end_with_service();

CREATE FUNCTION turnus_end_leaves_no_billed_days() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    wrong bigint;
BEGIN
    SELECT days.id INTO wrong
    FROM billing_billeddays days
    JOIN subscriptions_slot slot ON slot.id = days.slot_id
    JOIN subscriptions_subscription sub ON sub.id = slot.subscription_id
    WHERE sub.id = NEW.id AND days.kind = 'billed' AND days.released_at IS NULL AND sub.ends_on IS NOT NULL
      AND sub.state IN ('canceled', 'expired') AND upper(days.days) > sub.ends_on + 1
    LIMIT 1;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'subscription % ended while days after its end are billed', NEW.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'billed_days_end_with_service';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER subscription_end_wins AFTER UPDATE ON subscriptions_subscription
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (NEW.state IN ('canceled', 'expired') AND OLD.state IS DISTINCT FROM NEW.state)
    EXECUTE FUNCTION turnus_end_leaves_no_billed_days();
"""
CANCEL_WINS_BACK = """
DROP TRIGGER billing_billeddays_end ON billing_billeddays;
DROP FUNCTION turnus_days_end_with_service();
DROP TRIGGER subscription_end_wins ON subscriptions_subscription;
DROP FUNCTION turnus_end_leaves_no_billed_days();
"""


class Migration(migrations.Migration):
    dependencies = [("billing", "0002_initial"), ("subscriptions", "0002_guards")]
    operations = [
        LOCK_TIMEOUT,
        *[company_key(f"billing_{table}", column, parent, name=name) for table, column, parent, name in KEYS],
        plain_key("billing_invoicebalance", "invoice_id", "billing_invoice", name="invoice_balance_invoice"),
        plain_key("billing_linecredit", "line_id", "billing_invoiceline", name="line_credit_line"),
        plain_key("billing_billeddays", "line_id", "billing_invoiceline", name="billed_days_line"),
        plain_key("billing_creditnoteline", "invoice_line_id", "billing_invoiceline", name="credit_note_line_line"),
        plain_key("billing_snapshot", "company_id", "core_company", name="snapshot_company"),
        migrations.RunSQL(DOCUMENTS, DOCUMENTS_BACK),
        migrations.RunSQL(NUMBERS, NUMBERS_BACK),
        migrations.RunSQL(BALANCED, BALANCED_BACK),
        migrations.RunSQL(CHAIN, CHAIN_BACK),
        migrations.RunSQL(CANCEL_WINS, CANCEL_WINS_BACK),
        *[
            frozen(f"billing_{table}")
            for table in ("creditnoteline", "posting", "snapshot", "snapshotpart", "chainlink", "allocation")
        ],
    ]
