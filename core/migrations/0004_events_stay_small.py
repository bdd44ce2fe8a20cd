"""An event names a fact in 1 KB at most: it is a row of the trail, not a copy of a document."""

from django.db import migrations

from core.schema import LOCK_TIMEOUT, NAMED_COLUMNS_FUNCTION


class Migration(migrations.Migration):
    dependencies = [("core", "0003_company_alone_has_no_index")]
    operations = [
        LOCK_TIMEOUT,
        migrations.RunSQL(
            "ALTER TABLE core_event ADD CONSTRAINT event_is_small CHECK (octet_length(data::text) <= 1024)",
            "ALTER TABLE core_event DROP CONSTRAINT event_is_small",
        ),
        NAMED_COLUMNS_FUNCTION,
    ]
