"""What became of a mail, addresses that get none, and who allowed advertising."""

import core.ids
import django.db.models.deletion
from django.db import migrations, models

from core.schema import LOCK_TIMEOUT, company_key


class Migration(migrations.Migration):

    dependencies = [
        ('core', '0014_mail'),
        ('customers', '0008_mail_texts'),
    ]

    operations = [
        LOCK_TIMEOUT,
        migrations.CreateModel(
            name='Suppression',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=core.ids.new_id, editable=False, help_text='Id shown outside, a UUID version 7.', unique=True)),
                ('address', models.EmailField(blank=True, help_text='In lower case.', max_length=320, verbose_name='address')),
                ('address_hash', models.CharField(help_text='SHA-256 of the address in lower case; holds when the address was erased.', max_length=64)),
                ('reason', models.CharField(choices=[('bounced', 'mail came back for good'), ('complained', 'marked a mail as spam'), ('unsubscribed', 'unsubscribed'), ('manual', 'entered by hand')], help_text='Why.', max_length=12, verbose_name='reason')),
                ('scope', models.CharField(choices=[('all', 'all mail'), ('marketing', 'advertising')], help_text='What is not sent.', max_length=9, verbose_name='blocks')),
                ('words', models.TextField(blank=True, help_text='What the mail server or staff said.', max_length=2000, verbose_name='note')),
                ('by', models.CharField(blank=True, help_text='Who or what entered it.', max_length=200)),
                ('since', models.DateTimeField(help_text="Since when, by the company's clock.")),
                ('lifted_at', models.DateTimeField(blank=True, help_text='Mail goes there again since.', null=True)),
                ('lifted_by', models.CharField(blank=True, help_text='Who lifted it.', max_length=200)),
            ],
            options={
                'verbose_name': 'blocked address',
            },
        ),
        migrations.AddField(
            model_name='contact',
            name='marketing_consent_at',
            field=models.DateTimeField(blank=True, help_text='When it was allowed to send advertising to this address; empty: it was not.', null=True, verbose_name='advertising allowed since'),
        ),
        migrations.AddField(
            model_name='contact',
            name='marketing_consent_source',
            field=models.CharField(blank=True, db_default='', default='', help_text='How that was said, such as portal or a signed form.', max_length=120, verbose_name='allowed by'),
        ),
        migrations.AddField(
            model_name='customer',
            name='marketing_consent_at',
            field=models.DateTimeField(blank=True, help_text='When it was allowed to send advertising to this address; empty: it was not.', null=True, verbose_name='advertising allowed since'),
        ),
        migrations.AddField(
            model_name='customer',
            name='marketing_consent_source',
            field=models.CharField(blank=True, db_default='', default='', help_text='How that was said, such as portal or a signed form.', max_length=120, verbose_name='allowed by'),
        ),
        migrations.AddField(
            model_name='message',
            name='bounced_at',
            field=models.DateTimeField(help_text='When it came back, or was marked as spam.', null=True),
        ),
        migrations.AddField(
            model_name='message',
            name='category',
            field=models.CharField(choices=[('contract', 'about the contract'), ('legal', 'legal notice'), ('marketing', 'advertising')], db_default='contract', default='contract', help_text='What kind of mail it is; advertising alone can be unsubscribed from.', max_length=9),
        ),
        migrations.AddField(
            model_name='message',
            name='delivered_at',
            field=models.DateTimeField(help_text='When a mailbox took it, as the provider said.', null=True),
        ),
        migrations.AddField(
            model_name='message',
            name='html',
            field=models.TextField(blank=True, db_default='', default='', help_text="HTML of its own beside the plain text; empty: the plain text in the company's layout."),
        ),
        migrations.AddField(
            model_name='message',
            name='provider_id',
            field=models.CharField(blank=True, db_default='', default='', help_text="The mail provider's own id of it.", max_length=255),
        ),
        migrations.AddField(
            model_name='message',
            name='reply_to',
            field=models.CharField(blank=True, db_default='', default='', help_text='Where answers go; empty: to the sender.', max_length=300),
        ),
        migrations.AddField(
            model_name='message',
            name='results',
            field=models.JSONField(db_default={}, default=dict, help_text='What became of it for each address: state, instant, words.'),
        ),
        migrations.AlterField(
            model_name='message',
            name='state',
            field=models.CharField(choices=[('waiting', 'waiting'), ('sent', 'sent'), ('delivered', 'delivered'), ('bounced', 'came back'), ('complained', 'marked as spam'), ('failed', 'failed'), ('held', 'not sent: address blocked')], default='waiting', help_text='Where it stands.', max_length=10),
        ),
        migrations.AddIndex(
            model_name='message',
            index=models.Index(fields=['company', '-id'], name='message_by_age'),
        ),
        migrations.AddIndex(
            model_name='message',
            index=models.Index(condition=models.Q(('provider_id', ''), _negated=True), fields=['provider_id'], name='message_by_provider_id'),
        ),
        migrations.AddConstraint(
            model_name='message',
            constraint=models.UniqueConstraint(fields=('company', 'id'), name='message_company_key'),
        ),
        migrations.AddField(
            model_name='suppression',
            name='company',
            field=models.ForeignKey(db_index=False, help_text='The company this row belongs to.', on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.company'),
        ),
        migrations.AddField(
            model_name='suppression',
            name='message',
            field=models.ForeignKey(blank=True, help_text='The mail that led to it.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='customers.message'),
        ),
        migrations.AddIndex(
            model_name='suppression',
            index=models.Index(fields=['company', 'address'], name='suppression_by_address'),
        ),
        migrations.AddIndex(
            model_name='suppression',
            index=models.Index(condition=models.Q(('message__isnull', False)), fields=['message'], name='suppression_by_message'),
        ),
        migrations.AddConstraint(
            model_name='suppression',
            constraint=models.UniqueConstraint(condition=models.Q(('lifted_at__isnull', True)), fields=('company', 'address_hash', 'scope'), name='suppression_once'),
        ),
        company_key("customers_suppression", "message_id", "customers_message", name="suppression_message_same_company"),
    ]
