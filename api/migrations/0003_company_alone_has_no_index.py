import django.db.models.deletion
from django.db import migrations, models

from core.schema import LOCK_TIMEOUT


class Migration(migrations.Migration):
    dependencies = [
        ("api", "0002_unlogged_counts"),
        ("core", "0003_company_alone_has_no_index"),
    ]

    operations = [
        LOCK_TIMEOUT,
        migrations.AlterField(
            model_name="idempotencyrecord",
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
