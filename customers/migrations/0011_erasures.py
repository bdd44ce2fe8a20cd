"""That a customer was erased. Such a row is never changed: there is no way back."""

import django.db.models.deletion
from django.db import migrations, models

from core.schema import LOCK_TIMEOUT, company_key, frozen


class Migration(migrations.Migration):

    dependencies = [
        ('core', '0017_webhook_log'),
        ('customers', '0010_mail_not_sent'),
    ]

    operations = [
        LOCK_TIMEOUT,
        migrations.CreateModel(
            name='Erasure',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField(help_text="When, by the company's clock.")),
                ('by', models.CharField(help_text='Who or what did it.', max_length=120)),
                ('blanked', models.JSONField(default=dict, help_text='How many rows of each kind were blanked.')),
                ('kept', models.JSONField(default=list, help_text='What stays: kind, number of rows, last day, law and source.')),
                ('keep_until_on', models.DateField(help_text='Last day on which the law makes anything be kept.', null=True)),
                ('company', models.ForeignKey(db_index=False, help_text='The company this row belongs to.', on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.company')),
                ('customer', models.OneToOneField(help_text='Whose data were blanked.', on_delete=django.db.models.deletion.PROTECT, related_name='erasure', to='customers.customer')),
            ],
            options={
                'verbose_name': 'erasure',
            },
        ),
        company_key('customers_erasure', 'customer_id', 'customers_customer', name='erasure_customer_same_company'),
        frozen('customers_erasure'),
    ]
