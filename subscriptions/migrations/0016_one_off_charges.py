"""What is charged once has one name."""

from django.db import migrations

from core.schema import LOCK_TIMEOUT


class Migration(migrations.Migration):
    dependencies = [("subscriptions", "0015_every_key_in_its_company")]
    operations = [
        LOCK_TIMEOUT,
        migrations.AlterModelOptions(name="oneoff", options={"verbose_name": "one-off charge"}),
    ]
