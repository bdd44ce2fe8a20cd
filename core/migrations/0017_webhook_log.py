"""What webhook endpoints answered may go after a month; until then, and in no other way, it stays as it was written."""

from django.db import migrations

from core.schema import LOCK_TIMEOUT

TABLE = "core_webhooktry"


class Migration(migrations.Migration):
    dependencies = [("core", "0016_roles_that_mail")]
    operations = [
        LOCK_TIMEOUT,
        migrations.RunSQL(
            f"""
            DROP TRIGGER {TABLE}_frozen ON {TABLE};
            CREATE TRIGGER {TABLE}_frozen BEFORE UPDATE ON {TABLE} FOR EACH ROW EXECUTE FUNCTION turnus_frozen();
            CREATE TRIGGER {TABLE}_frozen_recent BEFORE DELETE ON {TABLE} FOR EACH ROW
                WHEN (OLD.at > clock_timestamp() - interval '30 days') EXECUTE FUNCTION turnus_frozen();
            """,
            f"""
            DROP TRIGGER {TABLE}_frozen_recent ON {TABLE};
            DROP TRIGGER {TABLE}_frozen ON {TABLE};
            CREATE TRIGGER {TABLE}_frozen BEFORE UPDATE OR DELETE ON {TABLE}
                FOR EACH ROW EXECUTE FUNCTION turnus_frozen();
            """,
        ),
    ]
