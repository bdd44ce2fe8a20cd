"""What is over and old is found by its age, not by reading everything."""

from django.db import migrations, models

from core.schema import LOCK_TIMEOUT


class Migration(migrations.Migration):
    dependencies = [("core", "0018_ticks_that_ended_well")]

    operations = [
        LOCK_TIMEOUT,
        migrations.AddIndex(
            model_name="outbox",
            index=models.Index(
                condition=models.Q(("state", "done")), fields=["company", "done_at"], name="outbox_done"
            ),
        ),
        migrations.AddIndex(
            model_name="job", index=models.Index(fields=["company", "ended_at"], name="job_by_age")
        ),
        migrations.AddIndex(
            model_name="mailevent",
            index=models.Index(
                condition=models.Q(("provider", "dsn"), _negated=True), fields=["received_at"], name="mail_event_by_age"
            ),
        ),
    ]
