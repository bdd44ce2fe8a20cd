from django.db import migrations, models
from django.db.models import Q

from core.schema import LOCK_TIMEOUT


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0013_due_terms"),
    ]

    operations = [
        LOCK_TIMEOUT,
        migrations.AddField(
            model_name="creditnote",
            name="tax_currency_minor",
            field=models.BigIntegerField(
                blank=True,
                help_text="Tax in the company's tax currency, where the document has another.",
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="creditnote",
            name="tax_currency_rate",
            field=models.DecimalField(
                blank=True,
                decimal_places=10,
                help_text="Units of the document's for one of it.",
                max_digits=20,
                null=True,
            ),
        ),
        migrations.RemoveConstraint(model_name="creditnote", name="credit_note_positive"),
        migrations.AddConstraint(
            model_name="creditnote",
            constraint=models.CheckConstraint(
                condition=Q(gross_minor__gt=0) | Q(cause__in=["void", "replace"], gross_minor=0),
                name="credit_note_positive",
            ),
        ),
    ]
