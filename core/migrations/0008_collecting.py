"""When stored methods are charged, and which chart of accounts a company has."""

from django.db import migrations, models

from core.schema import LOCK_TIMEOUT


class Migration(migrations.Migration):

    dependencies = [
        ('core', '0007_due_terms'),
    ]

    operations = [
        LOCK_TIMEOUT,
        migrations.AddField(
            model_name='company',
            name='chart',
            field=models.CharField(choices=[('skr03', 'SKR 03'), ('skr04', 'SKR 04'), ('neutral', 'neutral')], db_default='skr03', default='skr03', help_text='Which numbers new accounts get.', max_length=7, verbose_name='chart of accounts'),
        ),
        migrations.AddField(
            model_name='company',
            name='collect_when',
            field=models.CharField(choices=[('issue', 'as soon as the invoice is issued'), ('due', 'on the day it is due')], db_default='issue', default='issue', help_text='When a card, a PayPal account or a mandate on file is charged.', max_length=5, verbose_name='stored payment methods are charged'),
        ),
    ]
