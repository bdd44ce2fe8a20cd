"""When each tick last ended well: what looks back begins there, not where a run failed."""

from django.db import migrations, models

from core.schema import LOCK_TIMEOUT


class Migration(migrations.Migration):
    dependencies = [("core", "0017_webhook_log")]

    operations = [
        LOCK_TIMEOUT,
        migrations.AddField(
            model_name="tickrun",
            name="well_at",
            field=models.DateTimeField(help_text="When it last ended well, by the company's clock.", null=True),
        ),
        migrations.RunSQL(
            "UPDATE core_tickrun SET well_at = ran_at WHERE failures = 0", migrations.RunSQL.noop, elidable=True
        ),
    ]
