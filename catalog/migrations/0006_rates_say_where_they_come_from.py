"""A rate says who put it here, whether it was checked, and which kind of place its region is."""

from django.db import migrations, models

from core.schema import LOCK_TIMEOUT

_SHIPPED = """
UPDATE catalog_taxrate SET origin = 'shipped', is_checked = false
WHERE source = '' OR source LIKE 'Rate history shipped%' OR source LIKE 'Taxes in Europe Database%'
"""


class Migration(migrations.Migration):
    dependencies = [("catalog", "0005_engine_guards")]
    operations = [
        LOCK_TIMEOUT,
        migrations.AddField(
            model_name="taxrate",
            name="is_checked",
            field=models.BooleanField(
                db_default=True,
                default=True,
                help_text="Whether figure and first day were compared with a published source.",
                verbose_name="checked",
            ),
        ),
        migrations.AddField(
            model_name="taxrate",
            name="origin",
            field=models.CharField(
                choices=[("shipped", "table shipped with Turnus"), ("person", "entered here")],
                db_default="person",
                default="person",
                editable=False,
                help_text="Who put the row here; what a person entered is never changed by an update of the table.",
                max_length=7,
                verbose_name="origin",
            ),
        ),
        migrations.AddField(
            model_name="taxrate",
            name="tax_category",
            field=models.CharField(
                blank=True,
                choices=[
                    ("", "its own, whoever buys"),
                    ("S", "a region inside the VAT area"),
                    ("O", "a territory outside the VAT area"),
                ],
                db_default="",
                default="",
                help_text="For regions: outside the VAT area nothing is charged; inside it VAT ids count as everywhere.",
                max_length=2,
                verbose_name="kind of place",
            ),
        ),
        migrations.RunSQL(_SHIPPED, migrations.RunSQL.noop),
    ]
