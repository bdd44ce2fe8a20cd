"""Bank lines that were matched are found by the account they came from."""

from django.db import migrations, models

from core.schema import LOCK_TIMEOUT


class Migration(migrations.Migration):
    dependencies = [("billing", "0025_claim_payment_same_company")]
    operations = [
        LOCK_TIMEOUT,
        migrations.AddIndex(
            model_name="bankline",
            index=models.Index(
                condition=models.Q(("state", "matched")),
                fields=["company", "iban_fingerprint"],
                name="bank_line_by_iban",
            ),
        ),
    ]
