"""Which campaign brought a customer first: written once, never changed."""

import django.db.models.deletion
from django.db import migrations, models

from core.schema import LOCK_TIMEOUT, company_key, frozen


class Migration(migrations.Migration):
    dependencies = [
        ("catalog", "0008_a_discount_is_something"),
        ("core", "0014_mail"),
        ("customers", "0009_mail_states"),
        ("subscriptions", "0018_leaving_by_day"),
    ]

    operations = [
        LOCK_TIMEOUT,
        migrations.CreateModel(
            name="FirstTouch",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "source",
                    models.CharField(
                        blank=True,
                        help_text="Where they came from, in a word; empty: not known.",
                        max_length=80,
                        verbose_name="source",
                    ),
                ),
                ("touched_at", models.DateTimeField(help_text="When they first got in touch, by the company's clock.")),
                (
                    "campaign",
                    models.ForeignKey(
                        db_constraint=False,
                        help_text="The campaign that brought them; empty: none is known.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="first_touches",
                        to="catalog.campaign",
                    ),
                ),
                (
                    "company",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        help_text="The company this row belongs to.",
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="core.company",
                    ),
                ),
                (
                    "customer",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        help_text="Who was brought.",
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="customers.customer",
                    ),
                ),
            ],
            options={
                "verbose_name": "first touch",
                "constraints": [models.UniqueConstraint(fields=("company", "customer"), name="first_touch_once")],
            },
        ),
        company_key(
            "subscriptions_firsttouch", "customer_id", "customers_customer", name="first_touch_customer_same_company"
        ),
        company_key(
            "subscriptions_firsttouch", "campaign_id", "catalog_campaign", name="first_touch_campaign_same_company"
        ),
        frozen("subscriptions_firsttouch"),
    ]
