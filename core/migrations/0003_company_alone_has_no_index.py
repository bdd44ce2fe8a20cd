import django.db.models.deletion
from django.db import migrations, models

from core.schema import LOCK_TIMEOUT


class Migration(migrations.Migration):
    dependencies = [
        ("core", "0002_guards"),
    ]

    operations = [
        LOCK_TIMEOUT,
        migrations.AlterField(
            model_name="apikey",
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
            model_name="auditentry",
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
            model_name="job",
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
            model_name="membership",
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
            model_name="numberseries",
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
            model_name="outbox",
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
            model_name="role",
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
            model_name="storedfile",
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
            model_name="tickrun",
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
