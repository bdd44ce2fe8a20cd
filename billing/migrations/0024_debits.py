"""Direct debits: files made by themselves, and mandates for a single debit."""

from django.db import migrations, models

from core.schema import LOCK_TIMEOUT


class Migration(migrations.Migration):
    dependencies = [("billing", "0023_interest_rates")]
    operations = [
        LOCK_TIMEOUT,
        migrations.AddField(
            model_name="gateway",
            name="makes_files",
            field=models.BooleanField(
                db_default=True,
                default=True,
                help_text="Direct debit files are made when they are due; otherwise when a person asks.",
                verbose_name="files by themselves",
            ),
        ),
        migrations.AddField(
            model_name="mandate",
            name="is_one_off",
            field=models.BooleanField(
                db_default=False,
                default=False,
                help_text="Good for a single debit, then used up.",
                verbose_name="for one debit",
            ),
        ),
    ]
