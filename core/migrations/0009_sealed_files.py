"""Stored files may stand sealed. The column of the bytes keeps its name; in Python they are read through `content`."""

from django.db import migrations, models

from core.schema import LOCK_TIMEOUT


class Migration(migrations.Migration):
    dependencies = [("core", "0008_collecting")]

    operations = [
        LOCK_TIMEOUT,
        migrations.AddField(
            model_name="storedfile",
            name="is_sealed",
            field=models.BooleanField(db_default=False, default=False, help_text="Kept sealed."),
        ),
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.RenameField(model_name="storedfile", old_name="content", new_name="kept"),
                migrations.AlterField(
                    model_name="storedfile",
                    name="kept",
                    field=models.BinaryField(db_column="content", help_text="The bytes."),
                ),
            ],
        ),
    ]
