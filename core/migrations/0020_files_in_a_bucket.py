"""Bytes of stored files may lie in a bucket instead of their row. No row is written anew."""

from django.db import migrations, models

from core.schema import LOCK_TIMEOUT


class Migration(migrations.Migration):
    dependencies = [("core", "0019_logs_by_age")]

    operations = [
        LOCK_TIMEOUT,
        migrations.AlterField(
            model_name="storedfile",
            name="kept",
            field=models.BinaryField(
                db_column="content", help_text="The bytes; empty: they lie in the bucket.", null=True
            ),
        ),
        migrations.AddField(
            model_name="storedfile",
            name="object_key",
            field=models.CharField(
                blank=True, db_default="", default="", help_text="Where in the bucket they lie.",
                max_length=100,
            ),
        ),
        migrations.AddField(
            model_name="storedfile",
            name="object_tag",
            field=models.CharField(
                blank=True, db_default="", default="", help_text="What the bucket called their content.", max_length=80
            ),
        ),
        # Holds for every row there is, so it needs no look at them while the table is locked: new rows are checked.
        migrations.RunSQL(
            "ALTER TABLE core_storedfile ADD CONSTRAINT stored_file_lies_in_one_place"
            " CHECK ((object_key = '') = (content IS NOT NULL)) NOT VALID",
            "ALTER TABLE core_storedfile DROP CONSTRAINT stored_file_lies_in_one_place",
        ),
    ]
