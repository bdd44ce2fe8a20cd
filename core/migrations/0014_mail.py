"""Whom mails come from, and what providers tell of them."""

import django.db.models.deletion
from django.db import migrations, models

from core.schema import LOCK_TIMEOUT


class Migration(migrations.Migration):

    dependencies = [
        ('core', '0013_roles_of_the_clockwork'),
    ]

    operations = [
        LOCK_TIMEOUT,
        migrations.AddField(
            model_name='company',
            name='mail_address',
            field=models.EmailField(blank=True, db_default='', default='', help_text='Address mails come from; your mail server must be allowed to send for it. Empty: the e-mail above.', max_length=254, verbose_name='sender address'),
        ),
        migrations.AddField(
            model_name='company',
            name='mail_name',
            field=models.CharField(blank=True, db_default='', default='', help_text="Name mails come from; empty: the company's short name.", max_length=200, verbose_name='sender name'),
        ),
        migrations.AddField(
            model_name='company',
            name='mail_reply_to',
            field=models.EmailField(blank=True, db_default='', default='', help_text='Where answers go; empty: to the sender.', max_length=254, verbose_name='reply address'),
        ),
        migrations.AddField(
            model_name='company',
            name='mails_have_html',
            field=models.BooleanField(db_default=True, default=True, help_text='Beside the plain text, mails show the same words with your logo and colour.', verbose_name='mails with your looks'),
        ),
        migrations.CreateModel(
            name='MailEvent',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('provider', models.CharField(help_text='Who told it.', max_length=20)),
                ('key', models.CharField(help_text="The provider's id of what was told, or its content's digest.", max_length=128)),
                ('type', models.CharField(help_text='What happened, such as delivered or bounced.', max_length=20)),
                ('is_hard', models.BooleanField(default=False, help_text='Whether the address is refused for good.')),
                ('address', models.CharField(blank=True, help_text='Which address it is about.', max_length=320)),
                ('message_id', models.CharField(blank=True, help_text="The provider's id of the mail.", max_length=255)),
                ('message_ref', models.CharField(blank=True, help_text='Our own id of the mail, where it came back.', max_length=40)),
                ('words', models.CharField(blank=True, help_text='What the receiving server said.', max_length=1000)),
                ('body', models.JSONField(default=dict, help_text='All that was told, as it came.')),
                ('state', models.CharField(choices=[('waiting', 'waiting'), ('done', 'done'), ('ignored', 'of no concern')], default='waiting', help_text='Where it stands.', max_length=7)),
                ('happened_at', models.DateTimeField(help_text='When it happened, as the provider says.')),
                ('received_at', models.DateTimeField(help_text="When it was told, by the machine's clock.")),
                ('done_at', models.DateTimeField(help_text="When it was applied, by the machine's clock.", null=True)),
                ('company', models.ForeignKey(db_index=False, help_text='Whose mail it is about; empty: not known yet.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.company')),
            ],
            options={
                'verbose_name': 'mail event',
                'indexes': [models.Index(condition=models.Q(('state', 'waiting')), fields=['message_id'], name='mail_event_waiting')],
                'constraints': [models.UniqueConstraint(fields=('provider', 'key'), name='mail_event_once')],
            },
        ),
    ]
