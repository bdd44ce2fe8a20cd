import django.db.models.deletion
from django.db import migrations, models

from core.schema import LOCK_TIMEOUT


class Migration(migrations.Migration):
    dependencies = [("core", "0005_engine")]
    operations = [
        LOCK_TIMEOUT,
        migrations.AddField(
            model_name="company",
            name="sandbox_of",
            field=models.ForeignKey(
                blank=True,
                editable=False,
                help_text="The company whose catalog and settings this test company was opened with; empty: none.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="sandboxes",
                to="core.company",
            ),
        ),
        migrations.AddConstraint(
            model_name="company",
            constraint=models.CheckConstraint(
                condition=models.Q(("sandbox_of__isnull", True), ("is_live", False), _connector="OR"),
                name="company_sandbox_is_a_test",
            ),
        ),
    ]
