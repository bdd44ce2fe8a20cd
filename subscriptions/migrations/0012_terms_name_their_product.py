"""Terms may supply another product than their slot's: a change of plan keeps the slot."""

import django.db.models.deletion
from django.db import migrations, models

from core.schema import LOCK_TIMEOUT


class Migration(migrations.Migration):
    dependencies = [("subscriptions", "0011_pauses_beside_changes"), ("catalog", "0004_engine")]
    operations = [
        LOCK_TIMEOUT,
        migrations.AddField(
            model_name="slotterms",
            name="product",
            field=models.ForeignKey(
                blank=True,
                db_constraint=False,
                db_index=False,
                help_text="What is supplied under them; empty: the position's product.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="catalog.product",
            ),
        ),
    ]
