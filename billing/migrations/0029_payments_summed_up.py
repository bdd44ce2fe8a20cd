"""Payments are summed up by day; what is no money received is found without reading what is."""

import django.db.models.deletion
from django.db import migrations, models

from core.schema import LOCK_TIMEOUT


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0028_searched'),
        ('core', '0018_ticks_that_ended_well'),
        ('customers', '0014_merging'),
    ]

    operations = [
        LOCK_TIMEOUT,
        migrations.CreateModel(
            name='PaymentDay',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('received_on', models.DateField(help_text='Day of the money.')),
                ('method', models.CharField(choices=[('transfer', 'bank transfer'), ('cash', 'cash'), ('card', 'card'), ('debit', 'direct debit'), ('paypal', 'PayPal'), ('other', 'other')], help_text='How it came.', max_length=8)),
                ('currency', models.CharField(help_text='ISO 4217.', max_length=3)),
                ('count', models.IntegerField(help_text='How many payments.')),
                ('amount_minor', models.BigIntegerField(help_text='Received, in minor units.')),
                ('through_id', models.BigIntegerField(help_text='Payments up to this one were summed up with it.')),
            ],
        ),
        migrations.AddIndex(
            model_name='attempt',
            index=models.Index(condition=models.Q(('state__in', ['failed', 'canceled'])), fields=['company', '-id'], include=('state', 'currency', 'amount_minor'), name='attempt_in_vain'),
        ),
        migrations.AddIndex(
            model_name='payment',
            index=models.Index(condition=models.Q(('status', 'settled'), _negated=True), fields=['company', '-received_on', '-id'], include=('status', 'currency', 'amount_minor', 'method'), name='payment_not_settled'),
        ),
        migrations.AddField(
            model_name='paymentday',
            name='company',
            field=models.ForeignKey(db_index=False, help_text='The company this row belongs to.', on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.company'),
        ),
        migrations.AddConstraint(
            model_name='paymentday',
            constraint=models.UniqueConstraint(fields=('company', 'through_id', 'received_on', 'method', 'currency'), name='payment_day_once'),
        ),
        migrations.AddConstraint(
            model_name='paymentday',
            constraint=models.CheckConstraint(condition=models.Q(('amount_minor__gt', 0), ('count__gt', 0)), name='payment_day_positive'),
        ),
    ]
