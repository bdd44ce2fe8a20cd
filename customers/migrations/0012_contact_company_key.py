"""Contacts can be named by rows of their own company alone."""

from django.db import migrations, models

from core.schema import LOCK_TIMEOUT


class Migration(migrations.Migration):
    dependencies = [("customers", "0011_erasures")]

    operations = [
        LOCK_TIMEOUT,
        migrations.AddConstraint(
            model_name="contact",
            constraint=models.UniqueConstraint(fields=("company", "id"), name="contact_company_key"),
        ),
    ]
