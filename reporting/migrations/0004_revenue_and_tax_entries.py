"""Revenue and tax line by line: views over issued documents and postings."""

from django.db import migrations, models

from core.schema import LOCK_TIMEOUT
from pricing.money import Currency

#: Currencies whose minor unit is not a hundredth; the places of all others are 2.
_ODD = " ".join(f"WHEN '{code}' THEN {Currency.places(code)}" for code in Currency.codes if Currency.places(code) != 2)

FUNCTIONS = """
CREATE FUNCTION reporting_recognized(amount bigint, start_on date, end_on date, until_on date) RETURNS bigint
LANGUAGE sql IMMUTABLE AS $$
    -- As `pricing.recognition.recognized`.
    SELECT CASE
        WHEN until_on <= start_on THEN 0
        WHEN until_on >= end_on THEN amount
        ELSE sign(amount)::bigint
             * ((2 * abs(amount) * (until_on - start_on) + (end_on - start_on)) / (2 * (end_on - start_on)))
    END
$$;

CREATE FUNCTION reporting_places(currency text) RETURNS integer LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE currency ODD_PLACES ELSE 2 END
$$;

CREATE FUNCTION reporting_euro_rate(of_currency text, on_day date) RETURNS numeric LANGUAGE sql STABLE AS $$
    -- Units for one euro on the last banking day; none known: null.
    SELECT CASE WHEN of_currency = 'EUR' THEN 1 ELSE (
        SELECT r.rate FROM billing_exchangerate r
        WHERE r.currency = of_currency AND r.day <= on_day AND r.day > on_day - 11 ORDER BY r.day DESC LIMIT 1
    ) END
$$;
"""

REVENUE = """
CREATE VIEW reporting_revenueentry AS
SELECT l.id * 4 AS id, l.company_id, i.id AS invoice_id, NULL::bigint AS credit_note_id, i.customer_id,
       l.subscription_id, l.product_id,
       reporting_plan_on(l.subscription_id, coalesce(l.period_start, i.issued_on)) AS plan_id,
       coalesce((SELECT a.country FROM customers_address a WHERE a.id = i.address_id), '') AS country,
       l.kind, l.description, i.currency,
       l.net_minor + coalesce((
           SELECT sum(u.amount_minor) FROM billing_credituse u JOIN billing_credit c ON c.id = u.credit_id
           WHERE u.line_id = l.id AND u.amount_minor > 0 AND c.source = 'prepaid'
       ), 0)::bigint AS amount_minor,
       i.issued_on AS booked_on,
       coalesce(l.period_start, (l.calculation ->> 'service_on')::date, i.issued_on) AS start_on,
       coalesce(l.period_end, coalesce((l.calculation ->> 'service_on')::date, i.issued_on) + 1) AS end_on
FROM billing_invoiceline l
JOIN billing_invoice i ON i.id = l.invoice_id
WHERE i.sequence IS NOT NULL AND NOT (l.calculation ? 'pack')
UNION ALL
SELECT g.id * 4 + 1, g.company_id, n.invoice_id, n.id, n.customer_id, l.subscription_id, l.product_id,
       reporting_plan_on(l.subscription_id, coalesce(l.period_start, i.issued_on)),
       coalesce((SELECT a.country FROM customers_address a WHERE a.id = i.address_id), ''),
       l.kind, g.description, n.currency,
       -(g.net_minor + coalesce((
           SELECT sum((b ->> 'amount_minor')::bigint) FROM jsonb_array_elements(g.calculation -> 'credit_back') b
           WHERE b ->> 'source' = 'prepaid'
       ), 0)::bigint),
       n.issued_on, coalesce(g.period_start, n.issued_on), coalesce(g.period_end, n.issued_on + 1)
FROM billing_creditnoteline g
JOIN billing_creditnote n ON n.id = g.credit_note_id
JOIN billing_invoiceline l ON l.id = g.invoice_line_id
JOIN billing_invoice i ON i.id = n.invoice_id
WHERE NOT (l.calculation ? 'pack')
UNION ALL
SELECT p.id * 4 + 2, p.company_id, NULL, NULL, p.customer_id, NULL, NULL, NULL, '', 'credit', '', p.currency,
       -p.amount_minor, p.booked_on, p.booked_on, p.booked_on + 1
FROM billing_posting p
JOIN billing_account c ON c.id = p.account_id
WHERE c.role = 'revenue' AND p.cause_kind = 'credit'
"""

# Tax is rounded once for each category and rate of a document; where its lines are due in several countries, it is
# divided by their amounts so that the parts add up to it.
TAX = """
CREATE VIEW reporting_taxentry AS
WITH line AS (
    SELECT l.invoice_id AS document_id, 1 AS sign, l.tax_category AS category, l.tax_rate AS rate, l.net_minor,
           l.calculation -> 'tax' AS tax
    FROM billing_invoiceline l
    UNION ALL
    SELECT g.credit_note_id, -1, g.tax_category, g.tax_rate, g.net_minor,
           coalesce(g.calculation -> 'tax', l.calculation -> 'tax')
    FROM billing_creditnoteline g JOIN billing_invoiceline l ON l.id = g.invoice_line_id
), document AS (
    SELECT i.id, 1 AS sign, i.company_id, i.id AS invoice_id, NULL::bigint AS credit_note_id, i.customer_id,
           i.issued_on, i.currency, i.tax_rows, i.tax_minor, i.tax_currency_minor, i.tax_currency_rate,
           i.charge_due_on AS rated_on
    FROM billing_invoice i WHERE i.sequence IS NOT NULL
    UNION ALL
    SELECT n.id, -1, n.company_id, NULL, n.id, n.customer_id, n.issued_on, n.currency, n.tax_rows, n.tax_minor,
           n.tax_currency_minor, n.tax_currency_rate, i.charge_due_on
    FROM billing_creditnote n JOIN billing_invoice i ON i.id = n.invoice_id
)
SELECT d.id * 200 + CASE WHEN d.sign < 0 THEN 100 ELSE 0 END + part.place AS id, d.company_id, d.invoice_id,
       d.credit_note_id, d.customer_id, d.issued_on AS booked_on, part.country, part.region, part.category, part.rate,
       part.reason, d.currency, d.sign * part.base AS base_minor, d.sign * (part.up_to - part.before) AS tax_minor,
       c.tax_currency AS told_currency,
       d.sign * CASE WHEN d.currency = c.tax_currency THEN part.base ELSE round(
           part.base * power(10::numeric, reporting_places(c.tax_currency) - reporting_places(d.currency))
           / coalesce(d.tax_currency_rate,
                      reporting_euro_rate(d.currency, d.rated_on) / reporting_euro_rate(c.tax_currency, d.rated_on))
       ) END::bigint AS told_base_minor,
       d.sign * CASE
           WHEN d.currency = c.tax_currency THEN part.up_to - part.before
           WHEN d.tax_minor = 0 THEN 0
           ELSE round(d.tax_currency_minor * part.told_up_to::numeric / d.tax_minor)
                - round(d.tax_currency_minor * part.told_before::numeric / d.tax_minor)
       END::bigint AS told_tax_minor
FROM document d
JOIN core_company c ON c.id = d.company_id
CROSS JOIN LATERAL (
    SELECT told.*, sum(told.up_to - told.before) OVER (ORDER BY told.place) AS told_up_to,
           sum(told.up_to - told.before) OVER (ORDER BY told.place) - (told.up_to - told.before) AS told_before
    FROM (
        SELECT piece.*, row_number() OVER (ORDER BY category, rate, country, region, reason) AS place,
               CASE WHEN whole <> 0 THEN round(tax * upto::numeric / whole)
                    WHEN number = 1 THEN tax ELSE 0 END::bigint AS up_to,
               CASE WHEN whole = 0 THEN 0 ELSE round(tax * (upto - base)::numeric / whole) END::bigint AS before
        FROM (
            SELECT g.*, r.tax_minor AS tax,
                   row_number() OVER (PARTITION BY g.category, g.rate ORDER BY g.country, g.region, g.reason) AS number,
                   sum(g.base) OVER (PARTITION BY g.category, g.rate) AS whole,
                   sum(g.base) OVER (PARTITION BY g.category, g.rate ORDER BY g.country, g.region, g.reason) AS upto
            FROM (
                SELECT line.category, line.rate, coalesce(line.tax ->> 'country', '') AS country,
                       coalesce(line.tax ->> 'region', '') AS region, coalesce(line.tax ->> 'reason', '') AS reason,
                       sum(line.net_minor)::bigint AS base
                FROM line WHERE line.document_id = d.id AND line.sign = d.sign
                GROUP BY 1, 2, 3, 4, 5
            ) g
            LEFT JOIN LATERAL (
                SELECT (row ->> 'tax_minor')::bigint AS tax_minor FROM jsonb_array_elements(d.tax_rows) row
                WHERE row ->> 'category' = g.category AND (row ->> 'rate')::numeric = g.rate
            ) r ON true
        ) piece
    ) told
) part
"""

FUNCTIONS = FUNCTIONS.replace("ODD_PLACES", _ODD)

DROP = """
DROP VIEW reporting_taxentry;
DROP VIEW reporting_revenueentry;
DROP FUNCTION reporting_euro_rate(text, date);
DROP FUNCTION reporting_places(text);
DROP FUNCTION reporting_recognized(bigint, date, date, date);
"""


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0027_seal_files"),
        ("core", "0014_mail"),
        ("customers", "0009_mail_states"),
        ("reporting", "0003_closed_months"),
        ("subscriptions", "0019_first_touch"),
    ]

    operations = [
        LOCK_TIMEOUT,
        migrations.RunSQL(FUNCTIONS + REVENUE + ";" + TAX, DROP),
        migrations.CreateModel(
            name="RevenueEntry",
            fields=[
                ("id", models.BigIntegerField(help_text="Made of its row's id.", primary_key=True, serialize=False)),
                (
                    "country",
                    models.CharField(help_text="Country of the address the invoice was written to.", max_length=2),
                ),
                ("kind", models.CharField(help_text="What the line charges, or credit.", max_length=9)),
                ("description", models.CharField(help_text="Words on the document.", max_length=400)),
                ("currency", models.CharField(help_text="ISO 4217.", max_length=3)),
                ("amount_minor", models.BigIntegerField(help_text="Revenue without tax; below zero: given back.")),
                ("booked_on", models.DateField(help_text="Day of the document and of its postings.")),
                ("start_on", models.DateField(help_text="First day of the service.")),
                ("end_on", models.DateField(help_text="First day after the service.")),
            ],
            options={
                "db_table": "reporting_revenueentry",
                "managed": False,
            },
        ),
        migrations.CreateModel(
            name="TaxEntry",
            fields=[
                (
                    "id",
                    models.BigIntegerField(help_text="Made of its document's id.", primary_key=True, serialize=False),
                ),
                ("booked_on", models.DateField(help_text="Day of the document.")),
                ("country", models.CharField(help_text="Where the tax is due.", max_length=2)),
                (
                    "region",
                    models.CharField(help_text="Special territory, where the tax is due in one.", max_length=10),
                ),
                ("category", models.CharField(help_text="S, Z, E, AE, K, G or O (EN 16931).", max_length=2)),
                ("rate", models.DecimalField(decimal_places=3, help_text="Percent.", max_digits=6)),
                ("reason", models.CharField(help_text="Why it is taxed so.", max_length=40)),
                ("currency", models.CharField(help_text="ISO 4217.", max_length=3)),
                ("base_minor", models.BigIntegerField(help_text="Without tax, in the document's currency.")),
                ("tax_minor", models.BigIntegerField(help_text="Tax, in the document's currency.")),
                ("told_currency", models.CharField(help_text="The company's tax currency.", max_length=3)),
                (
                    "told_base_minor",
                    models.BigIntegerField(
                        help_text="Without tax, in the tax currency; empty: no rate is known.", null=True
                    ),
                ),
                ("told_tax_minor", models.BigIntegerField(help_text="Tax, in the tax currency.", null=True)),
            ],
            options={
                "db_table": "reporting_taxentry",
                "managed": False,
            },
        ),
    ]
