"""Mail that is kept as not sent, whatever the reason: words alone, nothing in the database moves."""

from django.db import migrations, models

from core.schema import LOCK_TIMEOUT


class Migration(migrations.Migration):
    dependencies = [("customers", "0009_mail_states")]

    operations = [
        LOCK_TIMEOUT,
        migrations.AlterField(
            model_name="message",
            name="state",
            field=models.CharField(
                choices=[
                    ("waiting", "waiting"),
                    ("sent", "sent"),
                    ("delivered", "delivered"),
                    ("bounced", "came back"),
                    ("complained", "marked as spam"),
                    ("failed", "failed"),
                    ("held", "not sent"),
                ],
                default="waiting",
                help_text="Where it stands.",
                max_length=10,
            ),
        ),
    ]
