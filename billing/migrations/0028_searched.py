"""Payments are searched for by words of their reference."""

import django.contrib.postgres.indexes
import django.db.models.functions.text
from django.db import migrations, models

from core.schema import LOCK_TIMEOUT


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0027_seal_files'),
        ('core', '0017_webhook_log'),
        ('customers', '0012_contact_company_key'),
    ]

    operations = [
        LOCK_TIMEOUT,
        migrations.AddIndex(
            model_name='payment',
            index=django.contrib.postgres.indexes.GinIndex(django.contrib.postgres.indexes.OpClass(django.db.models.functions.text.Upper('reference'), name='gin_trgm_ops'), condition=models.Q(('reference', ''), _negated=True), name='payment_reference_trigram'),
        ),
    ]
