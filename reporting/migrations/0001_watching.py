"""Saved reports with their readers and mails, goals, notes on days."""

import core.ids
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from core.schema import LOCK_TIMEOUT, company_key

KEYS = [
    ("reportreader", "view_id", "reporting_savedreport", "report_reader_view_same_company"),
    ("reportmail", "view_id", "reporting_savedreport", "report_mail_view_same_company"),
    ("reportmail", "message_id", "customers_message", "report_mail_message_same_company"),
]


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('core', '0014_mail'),
        ('customers', '0009_mail_states'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        LOCK_TIMEOUT,
        migrations.CreateModel(
            name='SavedReport',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=core.ids.new_id, editable=False, help_text='Id shown outside, a UUID version 7.', unique=True)),
                ('report', models.CharField(help_text='Name of the report.', max_length=60)),
                ('name', models.CharField(help_text='Name shown to staff.', max_length=200, verbose_name='name')),
                ('query', models.CharField(blank=True, help_text="What is asked, as in the page's address.", max_length=1000)),
                ('is_shared', models.BooleanField(default=False, help_text='Everybody who may see reports finds it; else only you.', verbose_name='for everybody')),
                ('is_on_wall', models.BooleanField(default=False, help_text='Its figures and first chart stand on the wall display.', verbose_name='on the wall')),
                ('every', models.CharField(blank=True, choices=[('', 'never'), ('day', 'every day'), ('week', 'every Monday'), ('month', 'on the first of the month')], help_text='How often it goes out by mail, in the morning, with a spreadsheet.', max_length=5, verbose_name='by mail')),
                ('created_at', models.DateTimeField(help_text="When it was saved, by the company's clock.")),
                ('company', models.ForeignKey(db_index=False, help_text='The company this row belongs to.', on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.company')),
                ('owner', models.ForeignKey(help_text='Who saved it.', on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ('name', 'pk'),
            },
        ),
        migrations.CreateModel(
            name='ReportReader',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('company', models.ForeignKey(db_constraint=False, db_index=False, help_text='The company this row belongs to.', on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.company')),
                ('user', models.ForeignKey(help_text='Who gets it.', on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('view', models.ForeignKey(db_constraint=False, help_text='Which.', on_delete=django.db.models.deletion.CASCADE, related_name='readers', to='reporting.savedreport')),
            ],
        ),
        migrations.CreateModel(
            name='ReportMail',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('on', models.DateField(help_text="The day it tells of, in the company's zone.")),
                ('company', models.ForeignKey(db_constraint=False, db_index=False, help_text='The company this row belongs to.', on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.company')),
                ('message', models.ForeignKey(db_constraint=False, help_text='The mail.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='customers.message')),
                ('user', models.ForeignKey(help_text='To whom.', on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('view', models.ForeignKey(db_constraint=False, help_text='Which.', on_delete=django.db.models.deletion.CASCADE, related_name='mails', to='reporting.savedreport')),
            ],
        ),
        migrations.CreateModel(
            name='Annotation',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=core.ids.new_id, editable=False, help_text='Id shown outside, a UUID version 7.', unique=True)),
                ('on', models.DateField(help_text='The day it happened.', verbose_name='day')),
                ('text', models.CharField(help_text='What happened, in a sentence.', max_length=300, verbose_name='note')),
                ('company', models.ForeignKey(db_index=False, help_text='The company this row belongs to.', on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.company')),
                ('written_by', models.ForeignKey(help_text='Who wrote it.', on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ('-on', '-pk'),
                'indexes': [models.Index(fields=['company', '-on'], name='annotation_by_day')],
            },
        ),
        migrations.CreateModel(
            name='Goal',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=core.ids.new_id, editable=False, help_text='Id shown outside, a UUID version 7.', unique=True)),
                ('report', models.CharField(help_text='Name of the report.', max_length=60)),
                ('figure', models.CharField(help_text='Name of the figure in it.', max_length=60)),
                ('currency', models.CharField(blank=True, help_text='ISO 4217; empty: it is no amount.', max_length=3)),
                ('month', models.DateField(help_text='First day of the month whose end it is for.', verbose_name='month')),
                ('value', models.DecimalField(decimal_places=4, help_text='Whole units of the currency, a count or a percent.', max_digits=24, verbose_name='value')),
                ('company', models.ForeignKey(db_index=False, help_text='The company this row belongs to.', on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.company')),
                ('set_by', models.ForeignKey(help_text='Who set it.', on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ('month', 'pk'),
                'constraints': [models.UniqueConstraint(fields=('company', 'report', 'figure', 'currency', 'month'), name='goal_once'), models.CheckConstraint(condition=models.Q(('month__day', 1)), name='goal_is_for_a_month')],
            },
        ),
        migrations.AddConstraint(
            model_name='savedreport',
            constraint=models.UniqueConstraint(fields=('company', 'id'), name='saved_report_company_key'),
        ),
        migrations.AddConstraint(
            model_name='savedreport',
            constraint=models.UniqueConstraint(fields=('company', 'owner', 'report', 'name'), name='saved_report_named_once'),
        ),
        migrations.AddConstraint(
            model_name='savedreport',
            constraint=models.CheckConstraint(condition=models.Q(('every__in', ['', 'day', 'week', 'month'])), name='saved_report_every'),
        ),
        migrations.AddConstraint(
            model_name='savedreport',
            constraint=models.CheckConstraint(condition=models.Q(('is_shared', True), ('is_on_wall', False), _connector='OR'), name='saved_report_on_wall_is_shared'),
        ),
        migrations.AddConstraint(
            model_name='reportreader',
            constraint=models.UniqueConstraint(fields=('view', 'user'), name='report_reader_once'),
        ),
        migrations.AddConstraint(
            model_name='reportmail',
            constraint=models.UniqueConstraint(fields=('view', 'user', 'on'), name='report_mail_once'),
        ),
        *[company_key(f"reporting_{table}", column, parent, name=name) for table, column, parent, name in KEYS],
    ]
