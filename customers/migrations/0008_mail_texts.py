"""Companies word their mails themselves."""

import django.db.models.deletion
from django.db import migrations, models

from core.schema import LOCK_TIMEOUT


class Migration(migrations.Migration):

    dependencies = [
        ('core', '0008_collecting'),
        ('customers', '0007_dunning_group'),
    ]

    operations = [
        LOCK_TIMEOUT,
        migrations.CreateModel(
            name='MailText',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(help_text='Which mail it is the text of.', max_length=60)),
                ('language', models.CharField(choices=[('en', 'English'), ('de', 'German'), ('fr', 'French'), ('it', 'Italian'), ('es', 'Spanish')], help_text='Language of the text.', max_length=5, verbose_name='language')),
                ('subject', models.CharField(blank=True, help_text='Subject line; placeholders stand in curly braces.', max_length=300, verbose_name='subject')),
                ('body', models.TextField(help_text='Plain text; placeholders in curly braces.', max_length=20000, verbose_name='text')),
                ('changed_at', models.DateTimeField(help_text="When it was last changed, by the company's clock.")),
                ('company', models.ForeignKey(db_index=False, help_text='The company this row belongs to.', on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.company')),
            ],
            options={
                'verbose_name': 'mail text',
                'constraints': [models.UniqueConstraint(fields=('company', 'name', 'language'), name='mail_text_unique')],
            },
        ),
    ]
