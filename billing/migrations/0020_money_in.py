"""Gateways, payment methods, attempts, bank statements, dunning; money knows the provider that took it."""

import core.ids
import core.sealing
import django.core.validators
import django.db.models.deletion
from django.db import migrations, models

from core.schema import LOCK_TIMEOUT


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0015_chunks_in_their_company'),
        ('core', '0008_collecting'),
        ('customers', '0007_dunning_group'),
        ('subscriptions', '0015_every_key_in_its_company'),
    ]

    operations = [
        LOCK_TIMEOUT,
        migrations.CreateModel(
            name='GatewayEvent',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('external_id', models.CharField(help_text="The provider's id of the message.", max_length=120)),
                ('type', models.CharField(help_text="The provider's name of what happened.", max_length=80)),
                ('body', models.BinaryField(help_text='The bytes that were signed.')),
                ('headers', models.JSONField(default=dict, help_text='The headers the signature needs.')),
                ('source', models.CharField(help_text='webhook: sent to us; fetched: asked for.', max_length=8)),
                ('state', models.CharField(choices=[('waiting', 'waiting'), ('done', 'done'), ('ignored', 'of no concern'), ('dead', 'failed for good')], default='waiting', help_text='Where it stands.', max_length=8, verbose_name='status')),
                ('tries', models.PositiveSmallIntegerField(default=0, help_text='How often it was applied in vain.')),
                ('outcome', models.CharField(blank=True, help_text='What came of it, or the last error.', max_length=300)),
                ('received_at', models.DateTimeField(help_text="When it came, by the machine's clock.")),
                ('done_at', models.DateTimeField(help_text="When it took effect, by the machine's clock.", null=True)),
            ],
            options={
                'verbose_name': "provider's message",
            },
        ),
        migrations.CreateModel(
            name='InterestRate',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('country', models.CharField(help_text='ISO 3166 code.', max_length=2)),
                ('from_on', models.DateField(help_text='First day it holds.')),
                ('base_percent', models.DecimalField(decimal_places=3, help_text='Base rate, percent a year.', max_digits=6)),
                ('business_points', models.DecimalField(decimal_places=3, help_text='Added where the debtor is a business, percent points.', max_digits=5)),
                ('consumer_points', models.DecimalField(decimal_places=3, help_text='Added where the debtor is a consumer, percent points.', max_digits=5)),
                ('flat_fee_minor', models.BigIntegerField(default=4000, help_text='Lump sum a business owes, in euro cents.')),
                ('source', models.CharField(help_text='Where the figure was published.', max_length=200)),
                ('is_checked', models.BooleanField(default=False, help_text='Compared with its source by a person.')),
            ],
            options={
                'ordering': ('country', 'from_on'),
            },
        ),
        migrations.CreateModel(
            name='Mandate',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('reference', models.CharField(help_text='Named in every debit; unique per creditor.', max_length=35, verbose_name='mandate reference')),
                ('scheme', models.CharField(choices=[('CORE', 'SEPA Core'), ('B2B', 'SEPA Business to Business')], default='CORE', help_text='Which rules hold.', max_length=4, verbose_name='scheme')),
                ('creditor_id', models.CharField(help_text='Creditor identifier at signing.', max_length=35)),
                ('holder', models.CharField(help_text='Whose account.', max_length=70, verbose_name='account holder')),
                ('iban', core.sealing.SealedField(help_text='The account; kept sealed.', verbose_name='IBAN')),
                ('iban_fingerprint', models.CharField(help_text='Finds the account without opening it.', max_length=64)),
                ('bic', models.CharField(blank=True, help_text='Bank code of that account.', max_length=11, verbose_name='BIC')),
                ('signed_on', models.DateField(help_text='Day of the signature.', verbose_name='signed on')),
                ('signed_by', models.CharField(help_text='Name typed in the signature field.', max_length=120, verbose_name='signed by')),
                ('text', models.TextField(help_text='The words that were signed.')),
                ('proof', models.JSONField(default=dict, help_text='Address, browser and time of the signature.')),
                ('is_amendment_told', models.BooleanField(default=False, help_text='A debit has told the bank about the amendment.')),
                ('last_used_on', models.DateField(help_text='Last collection day; 36 months later the mandate is dead.', null=True)),
                ('ended_on', models.DateField(help_text="First day on which it can't be used.", null=True)),
            ],
            options={
                'verbose_name': 'mandate',
            },
        ),
        migrations.CreateModel(
            name='PaymentMethod',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=core.ids.new_id, editable=False, help_text='Id shown outside, a UUID version 7.', unique=True)),
                ('kind', models.CharField(choices=[('card', 'card'), ('paypal', 'PayPal'), ('debit', 'direct debit'), ('transfer', 'bank transfer')], help_text='What it is.', max_length=8, verbose_name='kind')),
                ('status', models.CharField(choices=[('pending', 'waits for the customer'), ('active', 'usable'), ('broken', 'refused by the bank'), ('expired', 'expired'), ('removed', 'removed')], default='pending', help_text='Where it stands.', max_length=8, verbose_name='status')),
                ('is_default', models.BooleanField(default=False, help_text='Charged for everything that names no other method.', verbose_name='default')),
                ('label', models.CharField(help_text='Such as Visa •••• 4242.', max_length=80, verbose_name='label')),
                ('external_customer', models.CharField(blank=True, help_text="The customer's id at the provider.", max_length=120)),
                ('external_id', models.CharField(blank=True, help_text="The method's id at the provider.", max_length=120)),
                ('setup_id', models.CharField(blank=True, help_text="The provider's page or set-up that makes it; until it is usable.", max_length=120)),
                ('expires_on', models.DateField(blank=True, help_text='Last day it can be charged; empty: none known.', null=True, verbose_name='expires on')),
                ('warned_on', models.DateField(help_text='Day of the last warning about its expiry.', null=True)),
                ('reason', models.CharField(blank=True, help_text='Why it is broken: code of a refusal.', max_length=40)),
                ('consent', models.TextField(blank=True, help_text='The words the customer agreed to when it was saved.')),
                ('consented_at', models.DateTimeField(help_text='When the customer agreed.', null=True)),
                ('created_at', models.DateTimeField(help_text="When it was made, by the company's clock.")),
                ('removed_at', models.DateTimeField(help_text='When it was removed.', null=True)),
            ],
            options={
                'verbose_name': 'payment method',
            },
        ),
        migrations.CreateModel(
            name='Reversal',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=core.ids.new_id, editable=False, help_text='Id shown outside, a UUID version 7.', unique=True)),
                ('kind', models.CharField(choices=[('return', 'returned debit'), ('dispute', 'dispute')], help_text='What it is.', max_length=7)),
                ('state', models.CharField(choices=[('open', 'open'), ('won', 'won'), ('lost', 'lost')], default='open', help_text='Where it stands.', max_length=4)),
                ('external_id', models.CharField(help_text="The provider's or the bank's id.", max_length=120)),
                ('currency', models.CharField(help_text='ISO 4217.', max_length=3)),
                ('amount_minor', models.BigIntegerField(help_text='Taken back, in minor units.')),
                ('fee_minor', models.BigIntegerField(default=0, help_text='Fee of the provider or bank, in minor units.')),
                ('reason', models.CharField(blank=True, help_text='Why: code of a refusal.', max_length=40)),
                ('detail', models.CharField(blank=True, help_text='What the provider or bank said.', max_length=300)),
                ('taken_on', models.DateField(help_text='Day the money was gone.')),
                ('answer_by', models.DateTimeField(help_text='Until when evidence can be given.', null=True)),
                ('closed_on', models.DateField(help_text='Day it was decided.', null=True)),
                ('created_at', models.DateTimeField(help_text="When it was written, by the company's clock.")),
            ],
            options={
                'verbose_name': 'reversal',
            },
        ),
        migrations.CreateModel(
            name='SubscriptionMethod',
            fields=[
                ('subscription', models.OneToOneField(db_constraint=False, help_text='Which subscription.', on_delete=django.db.models.deletion.PROTECT, primary_key=True, related_name='paid_by', serialize=False, to='subscriptions.subscription')),
            ],
            options={
                'abstract': False,
            },
        ),
        migrations.AddField(
            model_name='payment',
            name='external_id',
            field=models.CharField(blank=True, db_default='', default='', help_text="The provider's id of the money.", max_length=120),
        ),
        migrations.AddField(
            model_name='payment',
            name='fee_minor',
            field=models.BigIntegerField(db_default=0, default=0, help_text="Fee the provider kept, in minor units of the payment's currency."),
        ),
        migrations.AddField(
            model_name='payment',
            name='settled_currency',
            field=models.CharField(blank=True, db_default='', default='', help_text='Currency the provider paid out, if another.', max_length=3),
        ),
        migrations.AddField(
            model_name='payment',
            name='settled_minor',
            field=models.BigIntegerField(help_text='What the provider paid out in that currency, in its minor units.', null=True),
        ),
        migrations.AddField(
            model_name='refund',
            name='external_id',
            field=models.CharField(blank=True, db_default='', default='', help_text="The provider's id, once it has one.", max_length=120),
        ),
        migrations.AddField(
            model_name='refund',
            name='failure',
            field=models.CharField(blank=True, db_default='', default='', help_text='Why it failed: code of a refusal.', max_length=40),
        ),
        migrations.AddField(
            model_name='refund',
            name='first_sent_at',
            field=models.DateTimeField(help_text="When it was first sent, by the machine's clock.", null=True),
        ),
        migrations.AddField(
            model_name='refund',
            name='key',
            field=models.CharField(blank=True, db_default='', default='', help_text='Sent with every try of it; never made anew.', max_length=64),
        ),
        migrations.AddField(
            model_name='refund',
            name='looks',
            field=models.PositiveSmallIntegerField(db_default=0, default=0, help_text='How often it was looked up or sent again.'),
        ),
        migrations.AddField(
            model_name='refund',
            name='next_look_at',
            field=models.DateTimeField(help_text="When it is sent or looked up next, by the company's clock.", null=True),
        ),
        migrations.AlterField(
            model_name='account',
            name='role',
            field=models.CharField(choices=[('receivable', 'receivables'), ('revenue', 'revenue'), ('tax', 'taxes due'), ('cash', 'cash and bank'), ('customer_credit', "customers' credit"), ('unallocated', 'payments not allocated'), ('write_off', 'losses on receivables'), ('prepaid', 'credit sold in advance'), ('transit', 'money at payment providers'), ('fee', 'payment fees'), ('claim', 'claims for late payment'), ('exchange', 'exchange differences')], help_text='What it is used for.', max_length=20),
        ),
        migrations.AlterField(
            model_name='posting',
            name='cause_kind',
            field=models.CharField(help_text='Kind of the row that caused it, such as invoice.', max_length=12),
        ),
        migrations.AlterField(
            model_name='refund',
            name='status',
            field=models.CharField(choices=[('pending', 'to be paid out'), ('sent', 'sent to the provider'), ('unknown', 'unknown'), ('settled', 'paid out'), ('failed', 'failed'), ('canceled', 'canceled')], help_text='Where it stands.', max_length=8),
        ),
        migrations.CreateModel(
            name='Attempt',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=core.ids.new_id, editable=False, help_text='Id shown outside, a UUID version 7.', unique=True)),
                ('state', models.CharField(choices=[('created', 'about to be sent'), ('sent', 'sent'), ('pending', 'under way'), ('unknown', 'unknown'), ('requires_action', 'waits for the customer'), ('settled', 'settled'), ('failed', 'failed'), ('canceled', 'canceled')], default='created', help_text='Where it stands.', max_length=15, verbose_name='status')),
                ('origin', models.CharField(choices=[('due', 'when due'), ('retry', 'retry of dunning'), ('staff', 'by staff'), ('customer', 'by the customer')], help_text='Who or what began it.', max_length=8)),
                ('currency', models.CharField(help_text='ISO 4217.', max_length=3)),
                ('amount_minor', models.BigIntegerField(help_text='Asked for, in minor units.', verbose_name='amount')),
                ('key', models.CharField(help_text='Sent with every try of it; never made anew.', max_length=64)),
                ('external_id', models.CharField(blank=True, help_text="The provider's id, once it has one.", max_length=120)),
                ('collect_on', models.DateField(help_text='Collection day of a direct debit.', null=True)),
                ('action_url', models.URLField(blank=True, help_text="The provider's page where it goes on.", max_length=1000)),
                ('reason', models.CharField(blank=True, help_text='Why it failed: code of a refusal.', max_length=40, verbose_name='reason')),
                ('detail', models.CharField(blank=True, help_text='What the provider said.', max_length=300)),
                ('created_at', models.DateTimeField(help_text="When it was written, by the company's clock.")),
                ('first_sent_at', models.DateTimeField(help_text="When it was first sent, by the machine's clock; its key is good for 23 hours.", null=True)),
                ('next_look_at', models.DateTimeField(help_text="When it is sent or looked up next, by the company's clock.", null=True)),
                ('looks', models.PositiveSmallIntegerField(default=0, help_text='How often it was looked up or sent again.')),
                ('expires_at', models.DateTimeField(help_text="When the customer's time is over.", null=True)),
                ('closed_at', models.DateTimeField(help_text="When its end was known, by the company's clock.", null=True)),
                ('proposed_state', models.CharField(blank=True, help_text='End that a person proposed, until a second one agrees.', max_length=15)),
                ('proposed_by', models.CharField(blank=True, help_text='Who proposed it.', max_length=120)),
                ('closing_proof', models.ForeignKey(help_text='Proof by which a person closed it.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.storedfile')),
                ('company', models.ForeignKey(db_constraint=False, db_index=False, help_text='The company this row belongs to.', on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.company')),
                ('customer', models.ForeignKey(db_constraint=False, help_text='From whom.', on_delete=django.db.models.deletion.PROTECT, related_name='attempts', to='customers.customer')),
                ('invoice', models.ForeignKey(db_constraint=False, help_text='What is collected.', on_delete=django.db.models.deletion.PROTECT, related_name='attempts', to='billing.invoice')),
            ],
            options={
                'verbose_name': 'attempt',
            },
        ),
        migrations.AddField(
            model_name='payment',
            name='attempt',
            field=models.OneToOneField(db_constraint=False, help_text='The try that brought it.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='payment', to='billing.attempt'),
        ),
        migrations.CreateModel(
            name='BankStatement',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=core.ids.new_id, editable=False, help_text='Id shown outside, a UUID version 7.', unique=True)),
                ('format', models.CharField(choices=[('camt.053', 'camt.053'), ('camt.054', 'camt.054'), ('mt940', 'MT940'), ('csv', 'CSV')], help_text='How it is written.', max_length=8, verbose_name='format')),
                ('number', models.CharField(blank=True, help_text="The bank's number of it.", max_length=40, verbose_name='number')),
                ('iban_end', models.CharField(blank=True, help_text='Last digits of the account.', max_length=4, verbose_name='account')),
                ('currency', models.CharField(blank=True, help_text='ISO 4217; empty: by line.', max_length=3)),
                ('opening_minor', models.BigIntegerField(help_text='Balance before, in minor units.', null=True)),
                ('closing_minor', models.BigIntegerField(help_text='Balance after, in minor units.', null=True)),
                ('from_on', models.DateField(help_text='First day booked.', null=True)),
                ('until_on', models.DateField(help_text='Last day booked.', null=True)),
                ('line_count', models.PositiveIntegerField(default=0, help_text='Lines read.')),
                ('new_count', models.PositiveIntegerField(default=0, help_text='Of these, new.')),
                ('imported_by', models.CharField(help_text='Who read it in.', max_length=120)),
                ('imported_at', models.DateTimeField(help_text="When, by the company's clock.")),
                ('company', models.ForeignKey(db_constraint=False, db_index=False, help_text='The company this row belongs to.', on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.company')),
                ('file', models.ForeignKey(help_text='The file as it came.', on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.storedfile')),
            ],
            options={
                'verbose_name': 'bank statement',
            },
        ),
        migrations.CreateModel(
            name='BankLine',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=core.ids.new_id, editable=False, help_text='Id shown outside, a UUID version 7.', unique=True)),
                ('fingerprint', models.CharField(help_text='Made of account, day, amount, references and place.', max_length=64)),
                ('booked_on', models.DateField(help_text='Day of the booking.', verbose_name='booked on')),
                ('value_on', models.DateField(help_text='Day from which it counts.', null=True)),
                ('currency', models.CharField(help_text='ISO 4217.', max_length=3)),
                ('amount_minor', models.BigIntegerField(help_text='Money in above zero, money out below.', verbose_name='amount')),
                ('name', models.CharField(blank=True, help_text='Who paid, or was paid.', max_length=140, verbose_name='name')),
                ('iban', core.sealing.SealedField(blank=True, help_text='Their account; kept sealed.')),
                ('iban_fingerprint', models.CharField(blank=True, help_text='Finds the account without opening it.', max_length=64)),
                ('text', models.CharField(blank=True, help_text='What was written with it.', max_length=500, verbose_name='text')),
                ('end_to_end_id', models.CharField(blank=True, help_text='Reference of whoever ordered it.', max_length=35)),
                ('mandate_reference', models.CharField(blank=True, help_text='Mandate of a direct debit.', max_length=35)),
                ('bank_reference', models.CharField(blank=True, help_text="The bank's own reference.", max_length=80)),
                ('return_code', models.CharField(blank=True, help_text='Why a debit came back, such as AM04.', max_length=4)),
                ('fee_minor', models.BigIntegerField(default=0, help_text='Fee of the bank contained, in minor units.')),
                ('state', models.CharField(choices=[('open', 'not matched'), ('suggested', 'to be confirmed'), ('matched', 'matched'), ('ignored', 'set aside')], default='open', help_text='Where it stands.', max_length=9, verbose_name='status')),
                ('suggestions', models.JSONField(default=list, help_text='What it may pay: invoice ids with confidence in percent and the reasons.')),
                ('settled_by', models.CharField(blank=True, help_text='Who or what matched or set it aside.', max_length=120)),
                ('note', models.CharField(blank=True, help_text='Why it was set aside, or how it was matched.', max_length=300)),
                ('company', models.ForeignKey(db_constraint=False, db_index=False, help_text='The company this row belongs to.', on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.company')),
                ('customer', models.ForeignKey(db_constraint=False, help_text='Whose, once known.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='customers.customer')),
                ('invoice', models.ForeignKey(db_constraint=False, help_text='Matched with.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='billing.invoice')),
                ('payment', models.ForeignKey(db_constraint=False, help_text='Payment recorded from it, or taken back by it.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='bank_lines', to='billing.payment')),
                ('refund', models.ForeignKey(db_constraint=False, help_text='Refund that it paid out.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='bank_lines', to='billing.refund')),
                ('statement', models.ForeignKey(db_constraint=False, help_text='In which statement.', on_delete=django.db.models.deletion.PROTECT, related_name='lines', to='billing.bankstatement')),
            ],
            options={
                'verbose_name': 'bank line',
            },
        ),
        migrations.CreateModel(
            name='DebitBatch',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=core.ids.new_id, editable=False, help_text='Id shown outside, a UUID version 7.', unique=True)),
                ('message_id', models.CharField(help_text='Names the file at the bank.', max_length=35, verbose_name='message id')),
                ('collection_on', models.DateField(help_text='Day the accounts are debited.', verbose_name='collection day')),
                ('scheme', models.CharField(choices=[('CORE', 'SEPA Core'), ('B2B', 'SEPA Business to Business')], help_text='Which rules hold.', max_length=4)),
                ('sequence', models.CharField(help_text='FRST, RCUR, OOFF or FNAL.', max_length=4)),
                ('state', models.CharField(choices=[('made', 'made'), ('sent', 'given to the bank'), ('canceled', 'canceled')], default='made', help_text='Where it stands.', max_length=8, verbose_name='status')),
                ('count', models.PositiveIntegerField(help_text='How many debits.', verbose_name='debits')),
                ('total_minor', models.BigIntegerField(help_text='Sum in euro cents.', verbose_name='total')),
                ('created_at', models.DateTimeField(help_text="When it was made, by the company's clock.")),
                ('sent_at', models.DateTimeField(help_text='When it was given to the bank.', null=True)),
                ('company', models.ForeignKey(db_constraint=False, db_index=False, help_text='The company this row belongs to.', on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.company')),
                ('file', models.ForeignKey(help_text='The file for the bank.', on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.storedfile')),
            ],
            options={
                'verbose_name': 'direct debit file',
            },
        ),
        migrations.AddField(
            model_name='attempt',
            name='batch',
            field=models.ForeignKey(db_constraint=False, help_text='In this file.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='attempts', to='billing.debitbatch'),
        ),
        migrations.CreateModel(
            name='DunningCase',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=core.ids.new_id, editable=False, help_text='Id shown outside, a UUID version 7.', unique=True)),
                ('currency', models.CharField(help_text='ISO 4217.', max_length=3)),
                ('state', models.CharField(choices=[('open', 'open'), ('promised', 'payment promised'), ('paused', 'dunning paused'), ('paid', 'paid'), ('given_up', 'given up')], default='open', help_text='Where it stands.', max_length=8, verbose_name='status')),
                ('counts_from_on', models.DateField(help_text='Oldest due date, or the day the money was taken back.')),
                ('steps_done', models.PositiveSmallIntegerField(default=0, help_text='Steps done or passed over.')),
                ('next_step_on', models.DateField(help_text='Day of the next step; empty: none.', null=True)),
                ('promised_on', models.DateField(help_text='Day until which payment is promised.', null=True)),
                ('paused_until_on', models.DateField(help_text='Last day of the pause; empty: until somebody ends it.', null=True)),
                ('note', models.CharField(blank=True, help_text='For colleagues.', max_length=500)),
                ('opened_minor', models.BigIntegerField(default=0, help_text='Overdue when it was opened, in minor units.')),
                ('recovered_minor', models.BigIntegerField(default=0, help_text='Paid since, in minor units.')),
                ('opened_at', models.DateTimeField(help_text="When it was opened, by the company's clock.")),
                ('closed_at', models.DateTimeField(help_text="When it was closed, by the company's clock.", null=True)),
                ('company', models.ForeignKey(db_constraint=False, db_index=False, help_text='The company this row belongs to.', on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.company')),
                ('customer', models.ForeignKey(db_constraint=False, help_text='Who owes.', on_delete=django.db.models.deletion.PROTECT, related_name='dunning_cases', to='customers.customer')),
            ],
            options={
                'verbose_name': 'dunning case',
            },
        ),
        migrations.CreateModel(
            name='Claim',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=core.ids.new_id, editable=False, help_text='Id shown outside, a UUID version 7.', unique=True)),
                ('kind', models.CharField(choices=[('fee', 'fee'), ('interest', 'interest')], help_text='What it is.', max_length=8)),
                ('status', models.CharField(choices=[('open', 'open'), ('paid', 'paid'), ('waived', 'waived')], default='open', help_text='Where it stands.', max_length=6, verbose_name='status')),
                ('currency', models.CharField(help_text='ISO 4217.', max_length=3)),
                ('amount_minor', models.BigIntegerField(help_text='Claimed, in minor units.')),
                ('from_on', models.DateField(help_text='First day of the interest.', null=True)),
                ('until_on', models.DateField(help_text='Last day of the interest.', null=True)),
                ('calculation', models.JSONField(default=list, help_text='Days, rates and amounts of the interest.')),
                ('claimed_on', models.DateField(help_text='Day it was claimed.')),
                ('closed_on', models.DateField(help_text='Day it was paid or waived.', null=True)),
                ('payment_id', models.BigIntegerField(help_text='The payment that paid it.', null=True)),
                ('company', models.ForeignKey(db_constraint=False, db_index=False, help_text='The company this row belongs to.', on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.company')),
                ('customer', models.ForeignKey(db_constraint=False, help_text='Who owes it.', on_delete=django.db.models.deletion.PROTECT, related_name='claims', to='customers.customer')),
                ('invoice', models.ForeignKey(db_constraint=False, help_text='Because of this invoice.', on_delete=django.db.models.deletion.PROTECT, related_name='claims', to='billing.invoice')),
                ('case', models.ForeignKey(db_constraint=False, help_text='In which case.', on_delete=django.db.models.deletion.PROTECT, related_name='claims', to='billing.dunningcase')),
            ],
            options={
                'verbose_name': 'claim',
            },
        ),
        migrations.CreateModel(
            name='DunningEntry',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('action', models.CharField(help_text="A step's action, or what else happened.", max_length=12)),
                ('step_days', models.PositiveSmallIntegerField(help_text='Days of the step in its policy.', null=True)),
                ('result', models.CharField(choices=[('done', 'done'), ('skipped', 'passed over'), ('failed', 'failed')], help_text='What came of it.', max_length=7)),
                ('reason', models.CharField(blank=True, help_text='Why it was passed over or failed: a code.', max_length=60)),
                ('open_minor', models.BigIntegerField(help_text='Overdue then, in minor units.')),
                ('amount_minor', models.BigIntegerField(default=0, help_text='Money it is about, in minor units.')),
                ('facts', models.JSONField(default=dict, help_text='Ids of invoices, mails and claims.')),
                ('on', models.DateField(help_text='Day.')),
                ('at', models.DateTimeField(help_text="When, by the company's clock.")),
                ('attempt', models.ForeignKey(db_constraint=False, help_text='The try it made.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='dunning_entries', to='billing.attempt')),
                ('case', models.ForeignKey(db_constraint=False, help_text='In which case.', on_delete=django.db.models.deletion.PROTECT, related_name='entries', to='billing.dunningcase')),
                ('company', models.ForeignKey(db_constraint=False, db_index=False, help_text='The company this row belongs to.', on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.company')),
            ],
        ),
        migrations.CreateModel(
            name='DunningPolicy',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=core.ids.new_id, editable=False, help_text='Id shown outside, a UUID version 7.', unique=True)),
                ('name', models.CharField(help_text='Name shown to staff.', max_length=80, verbose_name='name')),
                ('is_active', models.BooleanField(default=True, help_text='New cases may follow it.', verbose_name='active')),
                ('method_kind', models.CharField(blank=True, choices=[('card', 'card'), ('paypal', 'PayPal'), ('debit', 'direct debit'), ('transfer', 'bank transfer')], help_text='Only for customers who pay this way; empty: for all.', max_length=8, verbose_name='payment method')),
                ('customer_kind', models.CharField(blank=True, choices=[('company', 'company'), ('person', 'person')], help_text='Only for companies, or only for persons; empty: for all.', max_length=7, verbose_name='kind of customer')),
                ('customer_group', models.CharField(blank=True, help_text='Only for customers of this dunning group; empty: for all.', max_length=40, verbose_name='group of customers')),
                ('grace_minor', models.BigIntegerField(default=0, help_text='Less than this is not dunned, in minor units.', verbose_name='smallest amount')),
                ('created_at', models.DateTimeField(help_text="When it was made, by the company's clock.")),
                ('company', models.ForeignKey(db_index=False, help_text='The company this row belongs to.', on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.company')),
            ],
            options={
                'verbose_name': 'dunning policy',
                'ordering': ('id',),
            },
        ),
        migrations.AddField(
            model_name='dunningcase',
            name='policy',
            field=models.ForeignKey(db_constraint=False, help_text='Which steps it follows.', on_delete=django.db.models.deletion.PROTECT, related_name='cases', to='billing.dunningpolicy'),
        ),
        migrations.CreateModel(
            name='DunningStep',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('days', models.PositiveSmallIntegerField(help_text='Days after the oldest due date.', verbose_name='days')),
                ('position', models.PositiveSmallIntegerField(help_text='Order among the steps of one day.')),
                ('action', models.CharField(choices=[('retry', 'try to collect again'), ('mail', 'reminder by mail'), ('alert', 'tell colleagues'), ('claim', 'charge a fee or interest'), ('suspend', 'suspend the subscriptions'), ('cancel', 'cancel the subscriptions'), ('write_off', 'write off'), ('hand_over', 'hand over to collection')], help_text='What is done.', max_length=9, verbose_name='action')),
                ('level', models.PositiveSmallIntegerField(default=0, help_text='Which letter a reminder by mail uses: 0 friendly to 3 final.', verbose_name='reminder level')),
                ('fee_minor', models.BigIntegerField(default=0, help_text='Fee claimed, in minor units; companies may owe 40 EUR by law.', verbose_name='fee')),
                ('has_interest', models.BooleanField(default=False, help_text='Statutory interest for late payment is claimed.', verbose_name='interest')),
                ('suspended_billing', models.CharField(blank=True, help_text='stop, credit or continue.', max_length=8, verbose_name='billing while suspended')),
                ('end_unused', models.CharField(blank=True, help_text='credit, refund or none, when it cancels.', max_length=8, verbose_name='unused days')),
                ('company', models.ForeignKey(db_constraint=False, db_index=False, help_text='The company this row belongs to.', on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.company')),
                ('policy', models.ForeignKey(db_constraint=False, help_text='Of which policy.', on_delete=django.db.models.deletion.CASCADE, related_name='steps', to='billing.dunningpolicy')),
            ],
            options={
                'verbose_name': 'dunning step',
                'ordering': ('days', 'position', 'id'),
            },
        ),
        migrations.CreateModel(
            name='Gateway',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=core.ids.new_id, editable=False, help_text='Id shown outside, a UUID version 7.', unique=True)),
                ('kind', models.CharField(choices=[('stripe', 'Stripe'), ('paypal', 'PayPal'), ('sepa', 'SEPA direct debit'), ('transfer', 'bank transfer'), ('cash', 'cash')], help_text='Which provider or bank way.', max_length=8, verbose_name='kind')),
                ('name', models.CharField(help_text='Name shown to staff.', max_length=80, verbose_name='name')),
                ('is_active', models.BooleanField(default=True, help_text='Offered to customers and used.', verbose_name='active')),
                ('public_key', models.CharField(blank=True, help_text="The provider's public key or client id.", max_length=200, verbose_name='public key or client id')),
                ('secret', core.sealing.SealedField(blank=True, help_text="The provider's secret; kept sealed.", verbose_name='secret key')),
                ('webhook_id', models.CharField(blank=True, help_text='Id of the endpoint at the provider.', max_length=120, verbose_name='webhook id')),
                ('webhook_secret', core.sealing.SealedField(blank=True, help_text="Signs the provider's messages; without it none is taken.", verbose_name='webhook secret')),
                ('address', models.URLField(blank=True, help_text='Where the provider is reached; empty: its own. A live company refuses addresses of this machine.', verbose_name='address')),
                ('creditor_id', models.CharField(blank=True, help_text='SEPA creditor identifier, as in DE98ZZZ09999999999.', max_length=35, verbose_name='creditor id')),
                ('creditor_name', models.CharField(blank=True, help_text='Name on direct debits; empty: the legal name.', max_length=70, verbose_name='creditor name')),
                ('iban', core.sealing.SealedField(blank=True, help_text="The company's account; empty: the one in its settings.", verbose_name='IBAN')),
                ('bic', models.CharField(blank=True, help_text='Bank code of that account.', max_length=11, verbose_name='BIC')),
                ('notice_days', models.PositiveSmallIntegerField(default=14, help_text='Days between the notice of a direct debit and its collection; fewer only where agreed.', validators=[django.core.validators.MaxValueValidator(60)], verbose_name='pre-notification')),
                ('lead_days', models.PositiveSmallIntegerField(default=1, help_text='Banking days the file has to be at the bank before the collection.', validators=[django.core.validators.MaxValueValidator(14)], verbose_name='lead')),
                ('synced_at', models.DateTimeField(help_text='Messages of the provider were fetched up to this instant of its clock.', null=True)),
                ('created_at', models.DateTimeField(help_text="When it was made, by the company's clock.")),
                ('company', models.ForeignKey(db_index=False, help_text='The company this row belongs to.', on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.company')),
            ],
            options={
                'verbose_name': 'gateway',
                'ordering': ('id',),
            },
        ),
        migrations.AddField(
            model_name='debitbatch',
            name='gateway',
            field=models.ForeignKey(db_constraint=False, help_text='Collected by.', on_delete=django.db.models.deletion.PROTECT, related_name='batches', to='billing.gateway'),
        ),
        migrations.AddField(
            model_name='attempt',
            name='gateway',
            field=models.ForeignKey(db_constraint=False, help_text='Through which gateway.', on_delete=django.db.models.deletion.PROTECT, related_name='attempts', to='billing.gateway'),
        ),
        migrations.AddField(
            model_name='payment',
            name='gateway',
            field=models.ForeignKey(db_constraint=False, help_text='Taken by this gateway; empty: recorded by hand or from a bank statement.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='payments', to='billing.gateway'),
        ),
        migrations.AddField(
            model_name='refund',
            name='gateway',
            field=models.ForeignKey(db_constraint=False, help_text='Paid out by this gateway; empty: by hand.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='refunds', to='billing.gateway'),
        ),
        migrations.AddConstraint(
            model_name='payment',
            constraint=models.UniqueConstraint(condition=models.Q(('external_id', ''), _negated=True), fields=('gateway', 'external_id'), name='payment_known_once'),
        ),
        migrations.AddConstraint(
            model_name='refund',
            constraint=models.UniqueConstraint(fields=('company', 'id'), name='refund_company_key'),
        ),
        migrations.AddConstraint(
            model_name='refund',
            constraint=models.UniqueConstraint(condition=models.Q(('external_id', ''), _negated=True), fields=('gateway', 'external_id'), name='refund_known_once'),
        ),
        migrations.AddConstraint(
            model_name='refund',
            constraint=models.UniqueConstraint(condition=models.Q(('key', ''), _negated=True), fields=('key',), name='refund_key_unique'),
        ),
        migrations.AddField(
            model_name='gatewayevent',
            name='company',
            field=models.ForeignKey(db_constraint=False, db_index=False, help_text='The company this row belongs to.', on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.company'),
        ),
        migrations.AddField(
            model_name='gatewayevent',
            name='gateway',
            field=models.ForeignKey(db_constraint=False, help_text='From whom.', on_delete=django.db.models.deletion.PROTECT, related_name='events', to='billing.gateway'),
        ),
        migrations.AddConstraint(
            model_name='interestrate',
            constraint=models.UniqueConstraint(fields=('country', 'from_on'), name='interest_rate_one_a_day'),
        ),
        migrations.AddField(
            model_name='mandate',
            name='amends',
            field=models.ForeignKey(help_text='The mandate whose data it changes.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='amended_by', to='billing.mandate'),
        ),
        migrations.AddField(
            model_name='mandate',
            name='company',
            field=models.ForeignKey(db_constraint=False, db_index=False, help_text='The company this row belongs to.', on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.company'),
        ),
        migrations.AddField(
            model_name='mandate',
            name='paper',
            field=models.ForeignKey(help_text='The signed paper, if there is one.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.storedfile'),
        ),
        migrations.AddField(
            model_name='paymentmethod',
            name='company',
            field=models.ForeignKey(db_constraint=False, db_index=False, help_text='The company this row belongs to.', on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.company'),
        ),
        migrations.AddField(
            model_name='paymentmethod',
            name='customer',
            field=models.ForeignKey(db_constraint=False, help_text='Whose.', on_delete=django.db.models.deletion.PROTECT, related_name='payment_methods', to='customers.customer'),
        ),
        migrations.AddField(
            model_name='paymentmethod',
            name='gateway',
            field=models.ForeignKey(db_constraint=False, help_text='Charged through.', on_delete=django.db.models.deletion.PROTECT, related_name='methods', to='billing.gateway'),
        ),
        migrations.AddField(
            model_name='mandate',
            name='method',
            field=models.ForeignKey(db_constraint=False, help_text='The method it backs.', on_delete=django.db.models.deletion.PROTECT, related_name='mandates', to='billing.paymentmethod'),
        ),
        migrations.AddField(
            model_name='attempt',
            name='method',
            field=models.ForeignKey(db_constraint=False, help_text="Which saved method; empty: the customer chooses on the provider's page.", null=True, on_delete=django.db.models.deletion.PROTECT, related_name='attempts', to='billing.paymentmethod'),
        ),
        migrations.AddField(
            model_name='reversal',
            name='company',
            field=models.ForeignKey(db_constraint=False, db_index=False, help_text='The company this row belongs to.', on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.company'),
        ),
        migrations.AddField(
            model_name='reversal',
            name='gateway',
            field=models.ForeignKey(db_constraint=False, help_text='Told by.', on_delete=django.db.models.deletion.PROTECT, related_name='reversals', to='billing.gateway'),
        ),
        migrations.AddField(
            model_name='reversal',
            name='payment',
            field=models.ForeignKey(db_constraint=False, help_text='Which money.', on_delete=django.db.models.deletion.PROTECT, related_name='reversals', to='billing.payment'),
        ),
        migrations.AddField(
            model_name='subscriptionmethod',
            name='company',
            field=models.ForeignKey(db_constraint=False, db_index=False, help_text='The company this row belongs to.', on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.company'),
        ),
        migrations.AddField(
            model_name='subscriptionmethod',
            name='method',
            field=models.ForeignKey(db_constraint=False, help_text='Paid by.', on_delete=django.db.models.deletion.PROTECT, related_name='subscriptions', to='billing.paymentmethod'),
        ),
        migrations.AddIndex(
            model_name='bankstatement',
            index=models.Index(fields=['company', '-id'], name='bank_statement_newest'),
        ),
        migrations.AddConstraint(
            model_name='bankstatement',
            constraint=models.UniqueConstraint(fields=('company', 'id'), name='bank_statement_company_key'),
        ),
        migrations.AddIndex(
            model_name='bankline',
            index=models.Index(fields=['company', '-booked_on', '-id'], name='bank_line_newest'),
        ),
        migrations.AddIndex(
            model_name='bankline',
            index=models.Index(condition=models.Q(('state__in', ['open', 'suggested'])), fields=['company', '-id'], name='bank_line_unsettled'),
        ),
        migrations.AddIndex(
            model_name='bankline',
            index=models.Index(fields=['statement', 'id'], name='bank_line_by_statement'),
        ),
        migrations.AddConstraint(
            model_name='bankline',
            constraint=models.UniqueConstraint(fields=('company', 'id'), name='bank_line_company_key'),
        ),
        migrations.AddConstraint(
            model_name='bankline',
            constraint=models.UniqueConstraint(fields=('company', 'fingerprint'), name='bank_line_once'),
        ),
        migrations.AddConstraint(
            model_name='bankline',
            constraint=models.CheckConstraint(condition=models.Q(('amount_minor', 0), _negated=True), name='bank_line_is_not_zero'),
        ),
        migrations.AddIndex(
            model_name='claim',
            index=models.Index(fields=['company', 'customer', '-id'], name='claim_by_customer'),
        ),
        migrations.AddIndex(
            model_name='claim',
            index=models.Index(fields=['case', 'id'], name='claim_by_case'),
        ),
        migrations.AddConstraint(
            model_name='claim',
            constraint=models.UniqueConstraint(fields=('company', 'id'), name='claim_company_key'),
        ),
        migrations.AddConstraint(
            model_name='claim',
            constraint=models.CheckConstraint(condition=models.Q(('amount_minor__gt', 0)), name='claim_positive'),
        ),
        migrations.AddIndex(
            model_name='dunningentry',
            index=models.Index(fields=['case', 'id'], name='dunning_entry_by_case'),
        ),
        migrations.AddConstraint(
            model_name='dunningentry',
            constraint=models.UniqueConstraint(fields=('company', 'id'), name='dunning_entry_company_key'),
        ),
        migrations.AddConstraint(
            model_name='dunningpolicy',
            constraint=models.UniqueConstraint(fields=('company', 'id'), name='dunning_policy_company_key'),
        ),
        migrations.AddConstraint(
            model_name='dunningpolicy',
            constraint=models.UniqueConstraint(condition=models.Q(('is_active', True)), fields=('company', 'method_kind', 'customer_kind', 'customer_group'), name='dunning_policy_one_for_each'),
        ),
        migrations.AddConstraint(
            model_name='dunningpolicy',
            constraint=models.CheckConstraint(condition=models.Q(('grace_minor__gte', 0)), name='dunning_policy_grace_not_negative'),
        ),
        migrations.AddIndex(
            model_name='dunningcase',
            index=models.Index(condition=models.Q(('next_step_on__isnull', False)), fields=['company', 'next_step_on'], name='dunning_case_due'),
        ),
        migrations.AddIndex(
            model_name='dunningcase',
            index=models.Index(fields=['company', '-id'], name='dunning_case_newest'),
        ),
        migrations.AddIndex(
            model_name='dunningcase',
            index=models.Index(fields=['customer', '-id'], name='dunning_case_by_customer'),
        ),
        migrations.AddConstraint(
            model_name='dunningcase',
            constraint=models.UniqueConstraint(fields=('company', 'id'), name='dunning_case_company_key'),
        ),
        migrations.AddConstraint(
            model_name='dunningcase',
            constraint=models.UniqueConstraint(condition=models.Q(('state__in', ['open', 'promised', 'paused'])), fields=('customer', 'currency'), name='dunning_case_one_open'),
        ),
        migrations.AddConstraint(
            model_name='dunningstep',
            constraint=models.UniqueConstraint(fields=('policy', 'days', 'position'), name='dunning_step_place_unique'),
        ),
        migrations.AddConstraint(
            model_name='dunningstep',
            constraint=models.CheckConstraint(condition=models.Q(('fee_minor__gte', 0)), name='dunning_step_fee_not_negative'),
        ),
        migrations.AddConstraint(
            model_name='gateway',
            constraint=models.UniqueConstraint(fields=('company', 'id'), name='gateway_company_key'),
        ),
        migrations.AddConstraint(
            model_name='gateway',
            constraint=models.UniqueConstraint(condition=models.Q(('is_active', True)), fields=('company', 'kind'), name='gateway_one_active_of_a_kind'),
        ),
        migrations.AddIndex(
            model_name='debitbatch',
            index=models.Index(fields=['company', '-collection_on', '-id'], name='debit_batch_by_day'),
        ),
        migrations.AddConstraint(
            model_name='debitbatch',
            constraint=models.UniqueConstraint(fields=('company', 'id'), name='debit_batch_company_key'),
        ),
        migrations.AddConstraint(
            model_name='debitbatch',
            constraint=models.UniqueConstraint(fields=('company', 'message_id'), name='debit_batch_message_unique'),
        ),
        migrations.AddIndex(
            model_name='gatewayevent',
            index=models.Index(fields=['company', '-id'], name='gateway_event_by_company'),
        ),
        migrations.AddIndex(
            model_name='gatewayevent',
            index=models.Index(condition=models.Q(('state', 'waiting')), fields=['received_at'], name='gateway_event_waiting'),
        ),
        migrations.AddConstraint(
            model_name='gatewayevent',
            constraint=models.UniqueConstraint(fields=('company', 'id'), name='gateway_event_company_key'),
        ),
        migrations.AddConstraint(
            model_name='gatewayevent',
            constraint=models.UniqueConstraint(fields=('gateway', 'external_id'), name='gateway_event_once'),
        ),
        migrations.AddIndex(
            model_name='paymentmethod',
            index=models.Index(fields=['company', 'customer', '-id'], name='payment_method_by_customer'),
        ),
        migrations.AddIndex(
            model_name='paymentmethod',
            index=models.Index(condition=models.Q(('status', 'active')), fields=['company', 'expires_on'], name='payment_method_by_expiry'),
        ),
        migrations.AddConstraint(
            model_name='paymentmethod',
            constraint=models.UniqueConstraint(fields=('company', 'id'), name='payment_method_company_key'),
        ),
        migrations.AddConstraint(
            model_name='paymentmethod',
            constraint=models.UniqueConstraint(condition=models.Q(('is_default', True)), fields=('customer',), name='payment_method_one_default'),
        ),
        migrations.AddConstraint(
            model_name='paymentmethod',
            constraint=models.UniqueConstraint(condition=models.Q(('external_id', ''), _negated=True), fields=('gateway', 'external_id'), name='payment_method_known_once'),
        ),
        migrations.AddConstraint(
            model_name='paymentmethod',
            constraint=models.UniqueConstraint(condition=models.Q(('setup_id', ''), _negated=True), fields=('gateway', 'setup_id'), name='payment_method_set_up_once'),
        ),
        migrations.AddConstraint(
            model_name='paymentmethod',
            constraint=models.CheckConstraint(condition=models.Q(('is_default', False), ('status__in', ['active', 'broken', 'expired']), _connector='OR'), name='payment_method_default_is_there'),
        ),
        migrations.AddIndex(
            model_name='mandate',
            index=models.Index(fields=['company', 'iban_fingerprint'], name='mandate_by_iban'),
        ),
        migrations.AddConstraint(
            model_name='mandate',
            constraint=models.UniqueConstraint(fields=('company', 'id'), name='mandate_company_key'),
        ),
        migrations.AddConstraint(
            model_name='mandate',
            constraint=models.UniqueConstraint(condition=models.Q(('amends__isnull', True)), fields=('company', 'creditor_id', 'reference'), name='mandate_reference_unique'),
        ),
        migrations.AddConstraint(
            model_name='mandate',
            constraint=models.UniqueConstraint(condition=models.Q(('ended_on__isnull', True)), fields=('method',), name='mandate_one_in_force'),
        ),
        migrations.AddIndex(
            model_name='attempt',
            index=models.Index(fields=['company', '-id'], name='attempt_by_company'),
        ),
        migrations.AddIndex(
            model_name='attempt',
            index=models.Index(fields=['company', 'customer', '-id'], name='attempt_by_customer'),
        ),
        migrations.AddIndex(
            model_name='attempt',
            index=models.Index(fields=['invoice', '-id'], name='attempt_by_invoice'),
        ),
        migrations.AddIndex(
            model_name='attempt',
            index=models.Index(condition=models.Q(('next_look_at__isnull', False)), fields=['company', 'next_look_at'], name='attempt_due'),
        ),
        migrations.AddIndex(
            model_name='attempt',
            index=models.Index(condition=models.Q(('collect_on__isnull', False), ('state', 'created')), fields=['company', 'collect_on'], name='attempt_without_file'),
        ),
        migrations.AddConstraint(
            model_name='attempt',
            constraint=models.UniqueConstraint(fields=('company', 'id'), name='attempt_company_key'),
        ),
        migrations.AddConstraint(
            model_name='attempt',
            constraint=models.UniqueConstraint(condition=models.Q(('state__in', ['created', 'sent', 'pending', 'unknown', 'requires_action'])), fields=('invoice',), name='attempt_one_alive'),
        ),
        migrations.AddConstraint(
            model_name='attempt',
            constraint=models.UniqueConstraint(fields=('key',), name='attempt_key_unique'),
        ),
        migrations.AddConstraint(
            model_name='attempt',
            constraint=models.UniqueConstraint(condition=models.Q(('external_id', ''), _negated=True), fields=('gateway', 'external_id'), name='attempt_known_once'),
        ),
        migrations.AddConstraint(
            model_name='attempt',
            constraint=models.CheckConstraint(condition=models.Q(('amount_minor__gt', 0)), name='attempt_positive'),
        ),
        migrations.AddConstraint(
            model_name='attempt',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('closed_at__isnull', False), ('state__in', ['settled', 'failed', 'canceled'])), models.Q(models.Q(('state__in', ['settled', 'failed', 'canceled']), _negated=True), ('closed_at__isnull', True)), _connector='OR'), name='attempt_closed_has_its_time'),
        ),
        migrations.AddIndex(
            model_name='reversal',
            index=models.Index(fields=['payment'], name='reversal_by_payment'),
        ),
        migrations.AddIndex(
            model_name='reversal',
            index=models.Index(fields=['company', '-id'], name='reversal_by_company'),
        ),
        migrations.AddConstraint(
            model_name='reversal',
            constraint=models.UniqueConstraint(fields=('company', 'id'), name='reversal_company_key'),
        ),
        migrations.AddConstraint(
            model_name='reversal',
            constraint=models.UniqueConstraint(fields=('gateway', 'kind', 'external_id'), name='reversal_known_once'),
        ),
        migrations.AddConstraint(
            model_name='reversal',
            constraint=models.CheckConstraint(condition=models.Q(('amount_minor__gt', 0), ('fee_minor__gte', 0)), name='reversal_positive'),
        ),
    ]
