"""Guards look their rows up by key, whatever the statistics say.

A function's plan is made once a session. Made while a table is empty, it would read all of it for every row of the
first large run.
"""

from django.db import migrations

from core.schema import LOCK_TIMEOUT

FUNCTIONS = [
    "turnus_issued_takes_no_line",
    "turnus_days_end_with_service",
    "turnus_end_leaves_no_billed_days",
    "turnus_numbers_continue",
    "turnus_draft_number_continues",
    "turnus_chain_grows",
]


class Migration(migrations.Migration):
    dependencies = [("billing", "0008_no_index_twice")]
    operations = [
        LOCK_TIMEOUT,
        *[
            migrations.RunSQL(
                f"ALTER FUNCTION {name}() SET enable_seqscan = off", f"ALTER FUNCTION {name}() RESET enable_seqscan"
            )
            for name in FUNCTIONS
        ],
    ]
