import django.db.models.deletion
from django.db import migrations, models

from core.schema import LOCK_TIMEOUT


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0005_lines_before_numbers"),
        ("core", "0003_company_alone_has_no_index"),
    ]

    operations = [
        LOCK_TIMEOUT,
        migrations.AlterField(
            model_name="account",
            name="company",
            field=models.ForeignKey(
                db_index=False,
                help_text="The company this row belongs to.",
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="core.company",
            ),
        ),
        migrations.AlterField(
            model_name="billingchunk",
            name="company",
            field=models.ForeignKey(
                db_index=False,
                help_text="The company this row belongs to.",
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="core.company",
            ),
        ),
        migrations.AlterField(
            model_name="billingrun",
            name="company",
            field=models.ForeignKey(
                db_index=False,
                help_text="The company this row belongs to.",
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="core.company",
            ),
        ),
        migrations.AlterField(
            model_name="chainlink",
            name="company",
            field=models.ForeignKey(
                db_index=False,
                help_text="The company this row belongs to.",
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="core.company",
            ),
        ),
        migrations.AlterField(
            model_name="snapshotpart",
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
