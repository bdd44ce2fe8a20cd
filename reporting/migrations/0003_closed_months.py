"""Months of recurring revenue whose books are closed, summed up."""

import django.db.models.deletion
from django.db import migrations, models

from core.schema import LOCK_TIMEOUT, company_key

KEYS = [
    ("closedrevenue", "closed_id", "reporting_closedmonth", "closed_revenue_month_same_company"),
    ("closedrevenue", "plan_id", "catalog_plan", "closed_revenue_plan_same_company"),
    ("closedrevenue", "product_id", "catalog_product", "closed_revenue_product_same_company"),
    ("closedrevenue", "campaign_id", "catalog_campaign", "closed_revenue_campaign_same_company"),
    ("closedcustomers", "closed_id", "reporting_closedmonth", "closed_customers_month_same_company"),
]


class Migration(migrations.Migration):
    dependencies = [
        ("catalog", "0008_a_discount_is_something"),
        ("core", "0014_mail"),
        ("reporting", "0002_revenue_facts"),
    ]

    operations = [
        LOCK_TIMEOUT,
        migrations.CreateModel(
            name="ClosedMonth",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("month", models.DateField(help_text="Its first day.")),
                ("closed_at", models.DateTimeField(help_text="When it was summed up, by the company's clock.")),
                (
                    "rates",
                    models.JSONField(
                        blank=True,
                        default=dict,
                        help_text="Units of each currency for one euro at the month's end, as stored when it was summed up.",
                    ),
                ),
                (
                    "touch_id",
                    models.BigIntegerField(
                        default=0, help_text="The last word on what brought a customer that was known then."
                    ),
                ),
                (
                    "company",
                    models.ForeignKey(
                        db_index=False,
                        help_text="The company this row belongs to.",
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="core.company",
                    ),
                ),
            ],
            options={
                "verbose_name": "closed month",
            },
        ),
        migrations.CreateModel(
            name="ClosedCustomers",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("month", models.DateField(help_text="Its first day.")),
                (
                    "currency",
                    models.CharField(
                        blank=True, help_text="ISO 4217; empty: a customer of several counts once.", max_length=3
                    ),
                ),
                (
                    "dimension",
                    models.CharField(blank=True, help_text="What is divided by; empty: nothing.", max_length=10),
                ),
                (
                    "value",
                    models.CharField(blank=True, help_text="Its value, as facts hold it; empty: none.", max_length=80),
                ),
                ("gained", models.IntegerField(help_text="Had nothing before and something at the month's end.")),
                (
                    "returned",
                    models.IntegerField(help_text="Had something once, nothing at its start, something at its end."),
                ),
                ("lost", models.IntegerField(help_text="Had something at its start and nothing at its end.")),
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
                    "closed",
                    models.ForeignKey(
                        db_constraint=False,
                        help_text="Which month.",
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="customers",
                        to="reporting.closedmonth",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="ClosedRevenue",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("month", models.DateField(help_text="Its first day.")),
                ("kind", models.CharField(help_text="The movements' kind, or moved.", max_length=12)),
                ("currency", models.CharField(help_text="ISO 4217.", max_length=3)),
                (
                    "country",
                    models.CharField(blank=True, help_text="Country of the billing address at the time.", max_length=2),
                ),
                (
                    "source",
                    models.CharField(
                        blank=True, help_text="Where the customers came from; empty: not known.", max_length=80
                    ),
                ),
                ("cohort_on", models.DateField(help_text="First day of the month of the customers' first movement.")),
                ("amount_minor", models.BigIntegerField(help_text="Change of monthly revenue, in minor units.")),
                (
                    "campaign",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        help_text="The campaign that brought the customers; empty: none is known.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="catalog.campaign",
                    ),
                ),
                (
                    "closed",
                    models.ForeignKey(
                        db_constraint=False,
                        help_text="Which month.",
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="revenue",
                        to="reporting.closedmonth",
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
                    "plan",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        help_text="The plan at the time.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="catalog.plan",
                    ),
                ),
                (
                    "product",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        help_text="The product at the time.",
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="catalog.product",
                    ),
                ),
            ],
        ),
        migrations.AddConstraint(
            model_name="closedmonth",
            constraint=models.UniqueConstraint(fields=("company", "month"), name="closed_month_once"),
        ),
        migrations.AddConstraint(
            model_name="closedmonth",
            constraint=models.UniqueConstraint(fields=("company", "id"), name="closed_month_company_key"),
        ),
        migrations.AddIndex(
            model_name="closedcustomers",
            index=models.Index(fields=["company", "dimension", "month"], name="closed_customers_by_month"),
        ),
        migrations.AddIndex(
            model_name="closedrevenue",
            index=models.Index(fields=["company", "month"], name="closed_revenue_by_month"),
        ),
        *(company_key(f"reporting_{table}", column, parent, name=name) for table, column, parent, name in KEYS),
    ]
