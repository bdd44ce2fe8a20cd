"""A step of dunning is done once as long as its case counts from one day; a fee is claimed once per invoice."""

import django.db.models.deletion
from django.db import migrations, models

from core.schema import LOCK_TIMEOUT, company_key


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0021_money_in_guards'),
        ('core', '0008_collecting'),
        ('customers', '0007_dunning_group'),
    ]

    operations = [
        LOCK_TIMEOUT,
        migrations.AddField(
            model_name='dunningcase',
            name='handled',
            field=models.JSONField(db_default={}, default=dict, help_text='Id of each step done or passed over: the day it was done; empty: passed over.'),
        ),
        migrations.AddField(
            model_name='dunningcase',
            name='overdue_minor',
            field=models.BigIntegerField(db_default=0, default=0, help_text='Overdue when it was last looked at, in minor units.'),
        ),
        migrations.AddField(
            model_name='dunningcase',
            name='seen_allocation_id',
            field=models.BigIntegerField(db_default=0, default=0, help_text='Money allocated up to this row was counted.'),
        ),
        migrations.AddField(
            model_name='dunningentry',
            name='counts_from_on',
            field=models.DateField(help_text='Day the case counted from then.', null=True),
        ),
        migrations.AddField(
            model_name='dunningentry',
            name='step',
            field=models.ForeignKey(db_constraint=False, db_index=False, help_text='The step it was; of money: the last step done before it came.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='billing.dunningstep'),
        ),
        migrations.AddConstraint(
            model_name='claim',
            constraint=models.UniqueConstraint(condition=models.Q(('kind', 'fee')), fields=('invoice',), name='claim_one_fee_an_invoice'),
        ),
        migrations.AddConstraint(
            model_name='dunningentry',
            constraint=models.UniqueConstraint(condition=models.Q(('action__in', ['retry', 'mail', 'alert', 'claim', 'suspend', 'cancel', 'write_off', 'hand_over']), ('result', 'done')), fields=('case', 'step', 'counts_from_on'), name='dunning_entry_step_once'),
        ),
        migrations.AddConstraint(
            model_name='dunningstep',
            constraint=models.UniqueConstraint(fields=('company', 'id'), name='dunning_step_company_key'),
        ),
        company_key("billing_dunningentry", "step_id", "billing_dunningstep", name="dunning_entry_step_same_company"),
    ]
