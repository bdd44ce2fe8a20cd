"""Recurring revenue as facts: a view over movements, changes of plan and product, and addresses."""

from django.db import migrations, models

from core.schema import LOCK_TIMEOUT

#: Texts, so that the tables they read may still change their columns.
FUNCTIONS = """
CREATE FUNCTION reporting_plan_on(of_subscription bigint, on_day date) RETURNS bigint LANGUAGE sql STABLE AS $$
    -- The plan of the last change up to the day; before the first change, what that one found; without any, today's.
    SELECT CASE
        WHEN NOT EXISTS (
            SELECT FROM subscriptions_change c
            WHERE c.subscription_id = of_subscription AND c.status = 'done' AND c.plan_id IS NOT NULL
        ) THEN (SELECT s.plan_id FROM subscriptions_subscription s WHERE s.id = of_subscription)
        WHEN EXISTS (
            SELECT FROM subscriptions_change c
            WHERE c.subscription_id = of_subscription AND c.status = 'done' AND c.plan_id IS NOT NULL
              AND c.effective_on <= on_day
        ) THEN (
            SELECT c.plan_id FROM subscriptions_change c
            WHERE c.subscription_id = of_subscription AND c.status = 'done' AND c.plan_id IS NOT NULL
              AND c.effective_on <= on_day
            ORDER BY c.effective_on DESC, c.id DESC LIMIT 1
        )
        ELSE (
            SELECT (c.before #>> '{columns,plan_id}')::bigint FROM subscriptions_change c
            WHERE c.subscription_id = of_subscription AND c.status = 'done' AND c.plan_id IS NOT NULL
            ORDER BY c.id LIMIT 1
        )
    END
$$;

CREATE FUNCTION reporting_product_on(of_slot bigint, on_day date) RETURNS bigint LANGUAGE sql STABLE AS $$
    -- What the terms of the day name; before the first terms, what those name; where they name none, the position's.
    SELECT coalesce(
        (SELECT t.product_id FROM subscriptions_slotterms t
         WHERE t.slot_id = of_slot AND (t.until_on IS NULL OR t.until_on > on_day)
         ORDER BY t.from_on LIMIT 1),
        (SELECT s.product_id FROM subscriptions_slot s WHERE s.id = of_slot)
    )
$$;

CREATE FUNCTION reporting_country_on(of_customer bigint, on_day date, zone text) RETURNS varchar LANGUAGE sql STABLE
AS $$
    -- The billing address that no newer one had replaced by the evening of the day.
    SELECT coalesce((
        SELECT a.country FROM customers_address a
        WHERE a.customer_id = of_customer AND a.kind = 'billing'
          AND (a.replaced_at IS NULL OR (a.replaced_at AT TIME ZONE zone)::date > on_day)
        ORDER BY a.replaced_at NULLS LAST, a.id LIMIT 1
    ), '')
$$;

CREATE FUNCTION reporting_cohort_of(of_customer bigint) RETURNS date LANGUAGE sql STABLE AS $$
    SELECT date_trunc('month', min(m.booked_on))::date FROM subscriptions_movement m WHERE m.customer_id = of_customer
$$;
"""

VIEW = """
CREATE VIEW reporting_revenuefact AS
SELECT m.id, m.company_id, m.customer_id, m.subscription_id, m.slot_id, m.kind, m.cause, m.reason, m.currency,
       m.amount_minor, m.effective_on, m.booked_on,
       reporting_plan_on(m.subscription_id, m.booked_on) AS plan_id,
       reporting_product_on(m.slot_id, m.booked_on) AS product_id,
       (SELECT reporting_country_on(m.customer_id, m.booked_on, co.time_zone)
        FROM core_company co WHERE co.id = m.company_id) AS country,
       (SELECT f.campaign_id FROM subscriptions_firsttouch f
        WHERE f.company_id = m.company_id AND f.customer_id = m.customer_id) AS campaign_id,
       coalesce((SELECT f.source FROM subscriptions_firsttouch f
        WHERE f.company_id = m.company_id AND f.customer_id = m.customer_id), '') AS source,
       reporting_cohort_of(m.customer_id) AS cohort_on
FROM subscriptions_movement m
UNION ALL
SELECT -(turn.slot_id * 400000 + (turn.on_day - DATE '1900-01-01') * 2 + CASE WHEN side.sign > 0 THEN 1 ELSE 0 END),
       turn.company_id, s.customer_id, turn.subscription_id, turn.slot_id, 'moved', turn.cause, '', s.currency,
       side.sign * had.worth, turn.on_day, turn.on_day,
       CASE WHEN side.sign > 0 THEN now.plan_id ELSE was.plan_id END,
       CASE WHEN side.sign > 0 THEN now.product_id ELSE was.product_id END,
       CASE WHEN side.sign > 0 THEN now.country ELSE was.country END,
       (SELECT f.campaign_id FROM subscriptions_firsttouch f
        WHERE f.company_id = turn.company_id AND f.customer_id = s.customer_id),
       coalesce((SELECT f.source FROM subscriptions_firsttouch f
        WHERE f.company_id = turn.company_id AND f.customer_id = s.customer_id), ''),
       reporting_cohort_of(s.customer_id)
FROM (
    SELECT t.company_id, t.slot_id, t.subscription_id, t.on_day, min(t.cause) AS cause
    FROM (
        SELECT c.company_id, sl.id AS slot_id, c.subscription_id, c.effective_on AS on_day,
               'subscription.change' AS cause
        FROM subscriptions_change c JOIN subscriptions_slot sl ON sl.subscription_id = c.subscription_id
        WHERE c.status = 'done' AND c.plan_id IS NOT NULL
        UNION ALL
        SELECT sl.company_id, sl.id, sl.subscription_id, st.from_on, 'subscription.change'
        FROM subscriptions_slotterms named
        JOIN subscriptions_slot sl ON sl.id = named.slot_id
        JOIN subscriptions_slotterms st ON st.slot_id = sl.id
        WHERE named.product_id IS NOT NULL
        UNION ALL
        SELECT a.company_id, sl.id, s.id, (a.replaced_at AT TIME ZONE co.time_zone)::date, 'customer.address'
        FROM customers_address a
        JOIN core_company co ON co.id = a.company_id
        JOIN subscriptions_subscription s ON s.customer_id = a.customer_id
        JOIN subscriptions_slot sl ON sl.subscription_id = s.id
        WHERE a.kind = 'billing' AND a.replaced_at IS NOT NULL
    ) t
    GROUP BY t.company_id, t.slot_id, t.subscription_id, t.on_day
) turn
JOIN subscriptions_subscription s ON s.id = turn.subscription_id
JOIN core_company co ON co.id = turn.company_id
CROSS JOIN LATERAL (
    SELECT coalesce(sum(m.amount_minor), 0)::bigint AS worth FROM subscriptions_movement m
    WHERE m.slot_id = turn.slot_id AND m.booked_on < turn.on_day
) had
CROSS JOIN LATERAL (
    SELECT reporting_plan_on(turn.subscription_id, turn.on_day - 1) AS plan_id,
           reporting_product_on(turn.slot_id, turn.on_day - 1) AS product_id,
           reporting_country_on(s.customer_id, turn.on_day - 1, co.time_zone) AS country
) was
CROSS JOIN LATERAL (
    SELECT reporting_plan_on(turn.subscription_id, turn.on_day) AS plan_id,
           reporting_product_on(turn.slot_id, turn.on_day) AS product_id,
           reporting_country_on(s.customer_id, turn.on_day, co.time_zone) AS country
) now
CROSS JOIN (VALUES (-1), (1)) AS side (sign)
WHERE had.worth <> 0
  AND (was.plan_id, was.product_id, was.country) IS DISTINCT FROM (now.plan_id, now.product_id, now.country)
"""

DROP = """
DROP VIEW reporting_revenuefact;
DROP FUNCTION reporting_cohort_of(bigint);
DROP FUNCTION reporting_country_on(bigint, date, text);
DROP FUNCTION reporting_product_on(bigint, date);
DROP FUNCTION reporting_plan_on(bigint, date);
"""


class Migration(migrations.Migration):
    dependencies = [
        ("catalog", "0008_a_discount_is_something"),
        ("core", "0014_mail"),
        ("customers", "0009_mail_states"),
        ("reporting", "0001_watching"),
        ("subscriptions", "0019_first_touch"),
    ]

    operations = [
        LOCK_TIMEOUT,
        migrations.RunSQL(FUNCTIONS + VIEW, DROP),
        migrations.CreateModel(
            name="RevenueFact",
            fields=[
                (
                    "id",
                    models.BigIntegerField(
                        help_text="The movement's; below zero for a transfer.", primary_key=True, serialize=False
                    ),
                ),
                ("kind", models.CharField(help_text="The movement's kind, or moved.", max_length=12)),
                ("cause", models.CharField(help_text="Verb that caused it.", max_length=40)),
                ("reason", models.CharField(help_text="Reason code, if one was given.", max_length=40)),
                ("currency", models.CharField(help_text="ISO 4217.", max_length=3)),
                ("amount_minor", models.BigIntegerField(help_text="Change of monthly revenue, in minor units.")),
                ("effective_on", models.DateField(help_text="First day the new amount holds.")),
                ("booked_on", models.DateField(help_text="Day it counts for.")),
                ("country", models.CharField(help_text="Country of the billing address on that day.", max_length=2)),
                (
                    "source",
                    models.CharField(help_text="Where the customer came from; empty: not known.", max_length=80),
                ),
                (
                    "cohort_on",
                    models.DateField(help_text="First day of the month of the customer's first movement."),
                ),
            ],
            options={"db_table": "reporting_revenuefact", "managed": False},
        ),
    ]
