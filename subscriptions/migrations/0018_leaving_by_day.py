"""Subscriptions that were canceled and have not ended yet are found without reading the others."""

from django.db import migrations, models

from core.schema import LOCK_TIMEOUT


class Migration(migrations.Migration):

    dependencies = [
        ('subscriptions', '0017_renewal_notices'),
    ]

    operations = [
        LOCK_TIMEOUT,
        migrations.AddIndex(
            model_name='subscription',
            index=models.Index(condition=models.Q(('end_kind', 'cancel')), fields=['company', 'ends_on'], name='subscription_leaving'),
        ),
    ]
