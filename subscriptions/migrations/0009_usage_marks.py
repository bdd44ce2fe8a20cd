"""A slot says when billing looks at its usage; events that don't count are listed."""

import django.db.models.deletion
from django.db import migrations, models

from core.schema import LOCK_TIMEOUT, company_key


class Migration(migrations.Migration):
    dependencies = [
        ("catalog", "0005_engine_guards"),
        ("core", "0005_engine"),
        ("subscriptions", "0008_engine_guards"),
    ]

    operations = [
        LOCK_TIMEOUT,
        migrations.AddField(
            model_name="slot",
            name="late_from_on",
            field=models.DateField(
                blank=True,
                help_text="First day of late usage whose closed periods are to be rated again.",
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="slot",
            name="usage_due_on",
            field=models.DateField(
                blank=True,
                help_text="Day from which billing looks at usage that came late or may have passed an amount; empty: none.",
                null=True,
            ),
        ),
        migrations.CreateModel(
            name="UsageRefusal",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("event_id", models.CharField(help_text="Id given by the sender.", max_length=120)),
                ("at", models.DateTimeField(help_text="When it happened, as sent.")),
                ("value", models.DecimalField(decimal_places=10, help_text="Value, as sent.", max_digits=30)),
                ("key", models.CharField(blank=True, help_text="Key, as sent.", max_length=200)),
                ("code", models.CharField(help_text="Why it does not count, as a code.", max_length=60)),
                ("received_at", models.DateTimeField(help_text="When it came in first, by the company's clock.")),
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
                    "meter",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        help_text="Its meter.",
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="catalog.meter",
                    ),
                ),
                (
                    "subscription",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        help_text="Whose usage.",
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="subscriptions.subscription",
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["subscription", "-id"], name="usage_refusal_by_subscription")],
                "constraints": [
                    models.UniqueConstraint(fields=["meter", "event_id", "code"], name="usage_refusal_once")
                ],
            },
        ),
        company_key(
            "subscriptions_usagerefusal",
            "subscription_id",
            "subscriptions_subscription",
            name="usage_refusal_subscription_same_company",
        ),
        company_key("subscriptions_usagerefusal", "meter_id", "catalog_meter", name="usage_refusal_meter_same_company"),
    ]
