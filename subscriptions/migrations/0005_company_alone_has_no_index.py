import django.db.models.deletion
from django.db import migrations, models

from core.schema import LOCK_TIMEOUT


class Migration(migrations.Migration):
    dependencies = [
        ("core", "0003_company_alone_has_no_index"),
        ("subscriptions", "0004_room_to_bill"),
    ]

    operations = [
        LOCK_TIMEOUT,
        migrations.AlterField(
            model_name="import",
            name="company",
            field=models.ForeignKey(
                db_index=False,
                help_text="The company this row belongs to.",
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="core.company",
            ),
        ),
    ]
