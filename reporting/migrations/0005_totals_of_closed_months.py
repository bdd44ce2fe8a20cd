"""Closed months say what all together came to, so that the whole line is read from one row a month."""

from django.db import migrations, models

from core.schema import LOCK_TIMEOUT

#: Closed months there are already.
TOTALS = """
    UPDATE reporting_closedmonth c SET totals = coalesce((
        SELECT jsonb_object_agg(currency, kinds) FROM (
            SELECT currency, jsonb_object_agg(kind, minor) AS kinds FROM (
                SELECT r.currency, r.kind, sum(r.amount_minor)::bigint AS minor FROM reporting_closedrevenue r
                WHERE r.company_id = c.company_id AND r.month = c.month GROUP BY 1, 2
            ) by_kind GROUP BY 1
        ) by_currency
    ), '{}')
"""


class Migration(migrations.Migration):
    dependencies = [("reporting", "0004_revenue_and_tax_entries")]

    operations = [
        LOCK_TIMEOUT,
        migrations.AddField(
            model_name="closedmonth",
            name="totals",
            field=models.JSONField(
                blank=True,
                default=dict,
                help_text="Change of monthly revenue of everything together, in minor units, by currency and kind.",
            ),
        ),
        migrations.RunSQL(TOTALS, migrations.RunSQL.noop, elidable=True),
    ]
