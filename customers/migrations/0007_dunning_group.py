"""Customers may stand in a dunning group."""

from django.db import migrations, models

from core.schema import LOCK_TIMEOUT


class Migration(migrations.Migration):

    dependencies = [
        ('customers', '0006_due_terms'),
    ]

    operations = [
        LOCK_TIMEOUT,
        migrations.AddField(
            model_name='customer',
            name='dunning_group',
            field=models.CharField(blank=True, db_default='', default='', help_text='Dunning policies may hold for one group alone; empty: none.', max_length=40, verbose_name='dunning group'),
        ),
    ]
