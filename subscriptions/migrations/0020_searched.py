"""Subscriptions are searched for by the customer's order reference."""

from django.db import migrations, models

from core.schema import LOCK_TIMEOUT


class Migration(migrations.Migration):

    dependencies = [
        ('catalog', '0008_a_discount_is_something'),
        ('core', '0017_webhook_log'),
        ('customers', '0013_searched'),
        ('subscriptions', '0019_first_touch'),
    ]

    operations = [
        LOCK_TIMEOUT,
        migrations.AddIndex(
            model_name='subscription',
            index=models.Index(condition=models.Q(('po_reference', ''), _negated=True), fields=['company', 'po_reference'], name='subscription_by_reference'),
        ),
    ]
