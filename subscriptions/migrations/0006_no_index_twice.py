import django.db.models.deletion
from django.db import migrations, models

from core.schema import LOCK_TIMEOUT


class Migration(migrations.Migration):
    dependencies = [
        ("subscriptions", "0005_company_alone_has_no_index"),
    ]

    operations = [
        LOCK_TIMEOUT,
        migrations.AlterField(
            model_name="slot",
            name="subscription",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                help_text="Whose position.",
                on_delete=django.db.models.deletion.PROTECT,
                related_name="slots",
                to="subscriptions.subscription",
            ),
        ),
    ]
