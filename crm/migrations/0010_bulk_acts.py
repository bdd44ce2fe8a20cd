"""Acts on everybody in a segment, a row for each: all in its company; a row of an act stands once."""

import core.ids
import django.db.models.deletion
from django.db import migrations, models

from core.schema import LOCK_TIMEOUT, company_key

KEYS = [
    ("bulkact", "segment_id", "crm_segment", "bulk_act_segment_same_company"),
    ("bulkrow", "bulk_act_id", "crm_bulkact", "bulk_row_act_same_company"),
    ("bulkrow", "customer_id", "customers_customer", "bulk_row_customer_same_company"),
    ("bulkrow", "subscription_id", "subscriptions_subscription", "bulk_row_subscription_same_company"),
]


class Migration(migrations.Migration):
    dependencies = [
        ("core", "0017_webhook_log"),
        ("crm", "0009_merged_customers_get_nothing_new"),
        ("customers", "0012_contact_company_key"),
        ("subscriptions", "0019_first_touch"),
    ]

    operations = [
        LOCK_TIMEOUT,
        migrations.CreateModel(
            name="BulkAct",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "public_id",
                    models.UUIDField(
                        default=core.ids.new_id,
                        editable=False,
                        help_text="Id shown outside, a UUID version 7.",
                        unique=True,
                    ),
                ),
                ("kind", models.CharField(help_text="What is done with each.", max_length=20, verbose_name="act")),
                (
                    "params",
                    models.JSONField(default=dict, help_text="What the act needs, such as the plan or the text."),
                ),
                ("on", models.DateField(help_text="The day it was fixed who is meant.")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("checking", "being checked"),
                            ("checked", "checked"),
                            ("running", "being done"),
                            ("done", "done"),
                            ("stopped", "stopped"),
                        ],
                        default="checking",
                        help_text="Where it stands.",
                        max_length=8,
                        verbose_name="state",
                    ),
                ),
                ("language", models.CharField(help_text="Language of the words in its rows.", max_length=5)),
                ("actor", models.JSONField(default=list, help_text="Who acts: kind, id, name and user.")),
                (
                    "job_ref",
                    models.CharField(blank=True, help_text="The job that works on it, or did last.", max_length=40),
                ),
                ("created_at", models.DateTimeField(help_text="When it was prepared, by the company's clock.")),
                ("started_at", models.DateTimeField(help_text="When doing it began.", null=True)),
                (
                    "ended_at",
                    models.DateTimeField(help_text="When the last row was done, or it was stopped.", null=True),
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
                (
                    "segment",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        help_text="Whose customers are meant.",
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="bulk_acts",
                        to="crm.segment",
                        verbose_name="segment",
                    ),
                ),
            ],
            options={
                "verbose_name": "act on many",
            },
        ),
        migrations.CreateModel(
            name="BulkRow",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("waiting", "not checked yet"),
                            ("ready", "will be done"),
                            ("refused", "refused"),
                            ("failed", "failed"),
                            ("done", "done"),
                        ],
                        default="waiting",
                        help_text="Where it stands.",
                        max_length=7,
                    ),
                ),
                ("code", models.CharField(blank=True, help_text="Why it was refused, as a code.", max_length=60)),
                (
                    "why",
                    models.CharField(blank=True, help_text="Why it was refused or failed, in words.", max_length=500),
                ),
                ("token", models.CharField(blank=True, help_text="Signs what the preview showed.", max_length=100)),
                ("currency", models.CharField(blank=True, help_text="ISO 4217, of the amounts.", max_length=3)),
                (
                    "money_minor",
                    models.BigIntegerField(
                        help_text="Billed at once, less what is credited, tax included, in minor units, as previewed.",
                        null=True,
                    ),
                ),
                (
                    "mrr_before_minor",
                    models.BigIntegerField(help_text="Monthly revenue before, in minor units.", null=True),
                ),
                (
                    "mrr_after_minor",
                    models.BigIntegerField(
                        help_text="Monthly revenue once the act has taken full effect, in minor units, as previewed.",
                        null=True,
                    ),
                ),
                (
                    "tried_at",
                    models.DateTimeField(help_text="When it was done or refused; empty: not tried yet.", null=True),
                ),
                (
                    "bulk_act",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        help_text="Of which act.",
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="rows",
                        to="crm.bulkact",
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
                        help_text="Whose.",
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="customers.customer",
                    ),
                ),
                (
                    "subscription",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        help_text="The subscription that is meant; empty: the customer.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="subscriptions.subscription",
                    ),
                ),
            ],
            options={
                "verbose_name": "row of an act on many",
            },
        ),
        migrations.AddIndex(
            model_name="bulkact",
            index=models.Index(fields=["company", "-id"], name="bulk_act_by_age"),
        ),
        migrations.AddConstraint(
            model_name="bulkact",
            constraint=models.UniqueConstraint(fields=("company", "id"), name="bulk_act_company_key"),
        ),
        migrations.AddConstraint(
            model_name="bulkact",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state__in", ["running", "done"]), _negated=True),
                    ("started_at__isnull", False),
                    _connector="OR",
                ),
                name="bulk_act_has_its_start",
            ),
        ),
        migrations.AddIndex(
            model_name="bulkrow",
            index=models.Index(fields=["bulk_act", "state", "id"], name="bulk_row_by_state"),
        ),
        migrations.AddIndex(
            model_name="bulkrow",
            index=models.Index(fields=["company", "customer"], name="bulk_row_by_customer"),
        ),
        migrations.AddConstraint(
            model_name="bulkrow",
            constraint=models.UniqueConstraint(
                condition=models.Q(("subscription__isnull", True)),
                fields=("bulk_act", "customer"),
                name="bulk_row_customer_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="bulkrow",
            constraint=models.UniqueConstraint(
                condition=models.Q(("subscription__isnull", False)),
                fields=("bulk_act", "subscription"),
                name="bulk_row_subscription_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="bulkrow",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "done"), _negated=True), ("tried_at__isnull", False), _connector="OR"
                ),
                name="bulk_row_done_says_when",
            ),
        ),
        *[company_key(f"crm_{table}", column, parent, name=name) for table, column, parent, name in KEYS],
    ]
