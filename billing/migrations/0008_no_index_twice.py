import django.db.models.deletion
from django.db import migrations, models

from core.schema import LOCK_TIMEOUT


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0007_money_moves_in_named_columns"),
    ]

    operations = [
        LOCK_TIMEOUT,
        migrations.AlterField(
            model_name="billeddays",
            name="line",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                help_text="Line that bills them; empty: a period that cost nothing and was not issued.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="days",
                to="billing.invoiceline",
            ),
        ),
    ]
