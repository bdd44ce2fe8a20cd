"""Runs of the timetable that did something or failed are kept."""

import django.db.models.deletion
from django.db import migrations, models

from core.schema import LOCK_TIMEOUT


class Migration(migrations.Migration):

    dependencies = [
        ('core', '0011_webhook_guards'),
    ]

    operations = [
        LOCK_TIMEOUT,
        migrations.AddField(
            model_name='tickrun',
            name='failures',
            field=models.PositiveIntegerField(db_default=0, default=0, help_text='How often it failed since it last ended well.'),
        ),
        migrations.CreateModel(
            name='TickNote',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(help_text='Which tick.', max_length=40)),
                ('ran_at', models.DateTimeField(help_text="When, by the company's clock.")),
                ('ended_at', models.DateTimeField(help_text="When, by the machine's clock.")),
                ('milliseconds', models.PositiveIntegerField(help_text='How long it took.')),
                ('outcome', models.JSONField(default=dict, help_text='What it did, or the error.')),
                ('has_failed', models.BooleanField(default=False, help_text='Whether it ended with an error.')),
                ('company', models.ForeignKey(db_index=False, help_text='The company this row belongs to.', on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.company')),
            ],
            options={
                'indexes': [models.Index(fields=['company', 'name', '-id'], name='tick_note_newest'), models.Index(fields=['company', 'ended_at'], name='tick_note_by_age')],
            },
        ),
    ]
