"""Alerts with their rules, tasks, the morning's mail."""

import core.ids
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from core.schema import LOCK_TIMEOUT


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('billing', '0026_bank_line_by_iban'),
        ('core', '0012_tick_notes'),
        ('customers', '0007_dunning_group'),
        ('subscriptions', '0016_one_off_charges'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        LOCK_TIMEOUT,
        migrations.CreateModel(
            name='AlertRule',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=core.ids.new_id, editable=False, help_text='Id shown outside, a UUID version 7.', unique=True)),
                ('kind', models.CharField(help_text='Kind of alert.', max_length=40)),
                ('is_active', models.BooleanField(default=True, help_text='Whether alerts of this kind are raised.', verbose_name='active')),
                ('days', models.PositiveSmallIntegerField(blank=True, help_text='Days the kind waits or looks ahead; empty: not asked.', null=True, verbose_name='days')),
                ('hours', models.PositiveSmallIntegerField(blank=True, help_text='Hours the kind waits; empty: not asked.', null=True, verbose_name='hours')),
                ('amount_minor', models.BigIntegerField(blank=True, help_text="Least amount, in minor units of the company's currency; empty: not asked.", null=True)),
                ('mail', models.CharField(choices=[('none', 'no mail'), ('at_once', 'at once'), ('daily', "with the morning's mail")], default='none', help_text='Whether and when it is mailed.', max_length=8, verbose_name='mail')),
                ('makes_task', models.BooleanField(default=True, help_text='Whether each becomes a task.', verbose_name='makes a task')),
                ('task_days', models.PositiveSmallIntegerField(default=1, help_text='Days until the task is due.', verbose_name='task due after')),
                ('priority', models.CharField(choices=[('low', 'low'), ('normal', 'normal'), ('high', 'high')], default='normal', help_text='Of its tasks.', max_length=6, verbose_name='priority')),
                ('company', models.ForeignKey(db_index=False, help_text='The company this row belongs to.', on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.company')),
            ],
            options={
                'verbose_name': 'alert rule',
            },
        ),
        migrations.CreateModel(
            name='AlertAudience',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('company', models.ForeignKey(db_constraint=False, db_index=False, help_text='The company this row belongs to.', on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.company')),
                ('role', models.ForeignKey(db_constraint=False, help_text='Everybody in this role.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.role')),
                ('user', models.ForeignKey(help_text='This person.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('rule', models.ForeignKey(db_constraint=False, help_text='Of which rule.', on_delete=django.db.models.deletion.PROTECT, related_name='audience', to='crm.alertrule')),
            ],
        ),
        migrations.CreateModel(
            name='Alert',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=core.ids.new_id, editable=False, help_text='Id shown outside, a UUID version 7.', unique=True)),
                ('kind', models.CharField(help_text='Kind of alert.', max_length=40)),
                ('key', models.CharField(help_text='Names the cause within its kind.', max_length=120)),
                ('occurrence', models.PositiveIntegerField(default=1, help_text='How often this cause came up so far.')),
                ('state', models.CharField(choices=[('open', 'open'), ('resolved', 'settled by itself')], default='open', help_text='Where it stands.', max_length=8, verbose_name='status')),
                ('facts', models.JSONField(default=dict, help_text='What was seen: amounts, days, reasons, the row it is about.')),
                ('raised_at', models.DateTimeField(help_text="When it was seen, by the company's clock.", verbose_name='raised')),
                ('resolved_at', models.DateTimeField(help_text="When its cause was gone, by the company's clock.", null=True)),
                ('acknowledged_at', models.DateTimeField(help_text='When somebody took note of it.', null=True)),
                ('acknowledged_by', models.CharField(blank=True, help_text='Who took note of it.', max_length=120)),
                ('awaits_mail', models.BooleanField(default=False, help_text='A mail about it is still to be written.')),
                ('company', models.ForeignKey(db_constraint=False, db_index=False, help_text='The company this row belongs to.', on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.company')),
                ('customer', models.ForeignKey(db_constraint=False, help_text='About whom.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='alerts', to='customers.customer')),
                ('invoice', models.ForeignKey(db_constraint=False, help_text='About which invoice.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='alerts', to='billing.invoice')),
                ('subscription', models.ForeignKey(db_constraint=False, help_text='About which subscription.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='alerts', to='subscriptions.subscription')),
                ('rule', models.ForeignKey(db_constraint=False, help_text='By which rule.', on_delete=django.db.models.deletion.PROTECT, related_name='alerts', to='crm.alertrule')),
            ],
            options={
                'verbose_name': 'alert',
            },
        ),
        migrations.CreateModel(
            name='Digest',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('on', models.DateField(help_text="Which morning, in the company's zone.")),
                ('company', models.ForeignKey(db_index=False, help_text='The company this row belongs to.', on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.company')),
                ('message', models.ForeignKey(help_text='The mail; empty: there was nothing to say.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='customers.message')),
                ('user', models.ForeignKey(help_text='For whom.', on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
        ),
        migrations.CreateModel(
            name='Task',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=core.ids.new_id, editable=False, help_text='Id shown outside, a UUID version 7.', unique=True)),
                ('title', models.CharField(help_text='What is to be done, in a few words.', max_length=200, verbose_name='title')),
                ('text', models.TextField(blank=True, help_text='What one should know to do it.', max_length=10000, verbose_name='text')),
                ('due_on', models.DateField(help_text='Last day to do it.', verbose_name='due')),
                ('postponed_to_on', models.DateField(blank=True, help_text='Out of sight until this day; empty: not postponed.', null=True)),
                ('priority', models.CharField(choices=[('low', 'low'), ('normal', 'normal'), ('high', 'high')], default='normal', help_text='How urgent it is.', max_length=6, verbose_name='priority')),
                ('state', models.CharField(choices=[('open', 'open'), ('done', 'done'), ('dropped', 'dropped')], default='open', help_text='Where it stands.', max_length=7, verbose_name='status')),
                ('created_at', models.DateTimeField(help_text="When it was made, by the company's clock.")),
                ('created_by', models.CharField(help_text='Who or what made it.', max_length=120)),
                ('ended_at', models.DateTimeField(help_text="When it was done or dropped, by the company's clock.", null=True)),
                ('ended_by', models.CharField(blank=True, help_text='Who did or dropped it.', max_length=120)),
                ('ending', models.CharField(blank=True, choices=[('person', 'by somebody'), ('itself', 'settled by itself')], help_text='Whether a person ended it.', max_length=6)),
                ('alert', models.ForeignKey(db_constraint=False, help_text='The alert it came from; empty: made by hand.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='tasks', to='crm.alert')),
                ('company', models.ForeignKey(db_index=False, help_text='The company this row belongs to.', on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.company')),
                ('customer', models.ForeignKey(blank=True, db_constraint=False, help_text='About whom; empty: nobody in particular.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='tasks', to='customers.customer', verbose_name='customer')),
                ('invoice', models.ForeignKey(blank=True, db_constraint=False, help_text='About which invoice.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='tasks', to='billing.invoice')),
                ('owner', models.ForeignKey(blank=True, help_text='Who does it; empty: whoever of the team takes it.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='owner')),
                ('subscription', models.ForeignKey(blank=True, db_constraint=False, help_text='About which subscription.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='tasks', to='subscriptions.subscription')),
                ('team', models.ForeignKey(blank=True, db_constraint=False, help_text='Role whose people see to it.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.role', verbose_name='team')),
            ],
            options={
                'verbose_name': 'task',
            },
        ),
        migrations.CreateModel(
            name='TaskComment',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('text', models.TextField(help_text='What colleagues should know.', max_length=10000, verbose_name='comment')),
                ('by', models.CharField(help_text='Who wrote it.', max_length=120)),
                ('at', models.DateTimeField(help_text="When, by the company's clock.")),
                ('company', models.ForeignKey(db_constraint=False, db_index=False, help_text='The company this row belongs to.', on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.company')),
                ('task', models.ForeignKey(db_constraint=False, help_text='On which task.', on_delete=django.db.models.deletion.PROTECT, related_name='comments', to='crm.task')),
            ],
        ),
        migrations.AddConstraint(
            model_name='alertrule',
            constraint=models.UniqueConstraint(fields=('company', 'id'), name='alert_rule_company_key'),
        ),
        migrations.AddConstraint(
            model_name='alertrule',
            constraint=models.UniqueConstraint(fields=('company', 'kind'), name='alert_rule_kind_unique'),
        ),
        migrations.AddConstraint(
            model_name='alertrule',
            constraint=models.CheckConstraint(condition=models.Q(('amount_minor__isnull', True), ('amount_minor__gte', 0), _connector='OR'), name='alert_rule_amount_from_zero'),
        ),
        migrations.AddConstraint(
            model_name='alertaudience',
            constraint=models.UniqueConstraint(fields=('rule', 'role'), name='alert_audience_role_once'),
        ),
        migrations.AddConstraint(
            model_name='alertaudience',
            constraint=models.UniqueConstraint(fields=('rule', 'user'), name='alert_audience_user_once'),
        ),
        migrations.AddConstraint(
            model_name='alertaudience',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('role__isnull', True), ('user__isnull', False)), models.Q(('role__isnull', False), ('user__isnull', True)), _connector='OR'), name='alert_audience_is_one'),
        ),
        migrations.AddIndex(
            model_name='alert',
            index=models.Index(fields=['company', '-id'], name='alert_newest'),
        ),
        migrations.AddIndex(
            model_name='alert',
            index=models.Index(condition=models.Q(('acknowledged_at__isnull', True), ('state', 'open')), fields=['company', 'rule', '-id'], name='alert_unseen'),
        ),
        migrations.AddIndex(
            model_name='alert',
            index=models.Index(condition=models.Q(('awaits_mail', True)), fields=['company'], name='alert_to_mail'),
        ),
        migrations.AddIndex(
            model_name='alert',
            index=models.Index(fields=['company', 'customer', '-id'], name='alert_by_customer'),
        ),
        migrations.AddIndex(
            model_name='alert',
            index=models.Index(condition=models.Q(('subscription__isnull', False)), fields=['company', 'subscription', '-id'], name='alert_by_subscription'),
        ),
        migrations.AddConstraint(
            model_name='alert',
            constraint=models.UniqueConstraint(fields=('company', 'id'), name='alert_company_key'),
        ),
        migrations.AddConstraint(
            model_name='alert',
            constraint=models.UniqueConstraint(fields=('company', 'kind', 'key', 'occurrence'), name='alert_occurs_once'),
        ),
        migrations.AddConstraint(
            model_name='alert',
            constraint=models.UniqueConstraint(condition=models.Q(('state', 'open')), fields=('company', 'kind', 'key'), name='alert_open_once'),
        ),
        migrations.AddConstraint(
            model_name='alert',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('resolved_at__isnull', True), ('state', 'open')), models.Q(('resolved_at__isnull', False), ('state', 'resolved')), _connector='OR'), name='alert_resolved_has_its_time'),
        ),
        migrations.AddConstraint(
            model_name='digest',
            constraint=models.UniqueConstraint(fields=('company', 'user', 'on'), name='digest_once_a_day'),
        ),
        migrations.AddIndex(
            model_name='task',
            index=models.Index(condition=models.Q(('state', 'open')), fields=['company', 'due_on', 'id'], name='task_open_by_day'),
        ),
        migrations.AddIndex(
            model_name='task',
            index=models.Index(condition=models.Q(('state', 'open')), fields=['company', 'owner', 'due_on', 'id'], name='task_open_by_owner'),
        ),
        migrations.AddIndex(
            model_name='task',
            index=models.Index(fields=['company', '-id'], name='task_newest'),
        ),
        migrations.AddIndex(
            model_name='task',
            index=models.Index(condition=models.Q(('customer__isnull', False)), fields=['company', 'customer', '-id'], name='task_by_customer'),
        ),
        migrations.AddIndex(
            model_name='task',
            index=models.Index(condition=models.Q(('subscription__isnull', False)), fields=['company', 'subscription', '-id'], name='task_by_subscription'),
        ),
        migrations.AddConstraint(
            model_name='task',
            constraint=models.UniqueConstraint(fields=('company', 'id'), name='task_company_key'),
        ),
        migrations.AddConstraint(
            model_name='task',
            constraint=models.UniqueConstraint(fields=('alert',), name='task_one_of_an_alert'),
        ),
        migrations.AddConstraint(
            model_name='task',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('ended_at__isnull', True), ('state', 'open')), models.Q(models.Q(('state', 'open'), _negated=True), ('ended_at__isnull', False)), _connector='OR'), name='task_ended_has_its_time'),
        ),
        migrations.AddIndex(
            model_name='taskcomment',
            index=models.Index(fields=['task', 'id'], name='task_comment_by_task'),
        ),
    ]
