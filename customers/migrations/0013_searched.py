"""Customers are searched for by VAT id, too."""

from django.conf import settings
from django.db import migrations, models

from core.schema import LOCK_TIMEOUT


class Migration(migrations.Migration):

    dependencies = [
        ('core', '0017_webhook_log'),
        ('customers', '0012_contact_company_key'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        LOCK_TIMEOUT,
        migrations.AddIndex(
            model_name='customer',
            index=models.Index(condition=models.Q(('vat_id', ''), _negated=True), fields=['company', 'vat_id'], name='customer_by_vat_id'),
        ),
    ]
