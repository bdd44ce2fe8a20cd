"""Ties in both directions: what was heard and what became of it, runs, files, the link to files; each in its company."""

import core.ids
import django.db.models.deletion
from django.db import migrations, models

from core.schema import LOCK_TIMEOUT, company_key

KEYS = [
    ("tie", "campaign_id", "catalog_campaign", "tie_campaign_same_company"),
    ("tierun", "tie_id", "crm_tie", "tie_run_tie_same_company"),
    ("tiefile", "tie_id", "crm_tie", "tie_file_tie_same_company"),
    ("tiechange", "tie_id", "crm_tie", "tie_change_tie_same_company"),
    ("tiechange", "customer_id", "customers_customer", "tie_change_customer_same_company"),
    ("tiechange", "lead_id", "crm_lead", "tie_change_lead_same_company"),
]


class Migration(migrations.Migration):
    dependencies = [
        ("catalog", "0008_a_discount_is_something"),
        ("core", "0017_webhook_log"),
        ("crm", "0007_activities"),
        ("customers", "0012_contact_company_key"),
    ]

    operations = [
        LOCK_TIMEOUT,
        migrations.CreateModel(
            name="TieChange",
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
                (
                    "at",
                    models.DateTimeField(help_text="When it was heard, by the machine's clock.", verbose_name="heard"),
                ),
                (
                    "changed_at",
                    models.DateTimeField(
                        help_text="When it was changed, as said over there.", null=True, verbose_name="changed"
                    ),
                ),
                (
                    "key",
                    models.CharField(help_text="E-mail address in lower case.", max_length=320, verbose_name="address"),
                ),
                (
                    "what",
                    models.CharField(
                        choices=[
                            ("name", "name"),
                            ("phone", "phone"),
                            ("email", "e-mail"),
                            ("consent", "advertising"),
                            ("list", "place on the list"),
                            ("person", "new person"),
                        ],
                        help_text="What was changed.",
                        max_length=7,
                        verbose_name="what",
                    ),
                ),
                (
                    "ours",
                    models.CharField(blank=True, help_text="What stood here.", max_length=200, verbose_name="here"),
                ),
                (
                    "theirs",
                    models.CharField(
                        blank=True, help_text="What stands over there.", max_length=320, verbose_name="over there"
                    ),
                ),
                (
                    "outcome",
                    models.CharField(
                        choices=[
                            ("taken", "taken over"),
                            ("theirs", "both had changed it: theirs stays"),
                            ("ours", "both had changed it: ours stays"),
                            ("kept", "not taken over: ours stays"),
                            ("asked", "a task asks what to do"),
                            ("lead", "became a lead"),
                        ],
                        help_text="What became of it.",
                        max_length=6,
                        verbose_name="what became of it",
                    ),
                ),
                (
                    "words",
                    models.CharField(
                        blank=True, help_text="Why, where there is more to say.", max_length=300, verbose_name="reason"
                    ),
                ),
            ],
            options={
                "verbose_name": "change heard by a tie",
            },
        ),
        migrations.CreateModel(
            name="TieFile",
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
                ("name", models.CharField(help_text="Name of the file.", max_length=200, verbose_name="file")),
                (
                    "state",
                    models.CharField(
                        choices=[("waiting", "waits for the next run"), ("done", "read")],
                        default="waiting",
                        help_text="Where it stands.",
                        max_length=7,
                        verbose_name="state",
                    ),
                ),
                ("line_count", models.PositiveIntegerField(help_text="Lines below its head.", verbose_name="lines")),
                (
                    "done_count",
                    models.PositiveIntegerField(
                        default=0, help_text="Lines that were read so far.", verbose_name="read"
                    ),
                ),
                (
                    "failed_count",
                    models.PositiveIntegerField(
                        default=0, help_text="Lines that were refused.", verbose_name="refused"
                    ),
                ),
                (
                    "outcomes",
                    models.JSONField(
                        blank=True, default=list, help_text="Of each line what became of it and why, in order."
                    ),
                ),
                (
                    "created_at",
                    models.DateTimeField(
                        help_text="When it was given in, by the machine's clock.", verbose_name="given in"
                    ),
                ),
                ("created_by", models.CharField(help_text="Who gave it in.", max_length=120)),
            ],
            options={
                "verbose_name": "file of a tie",
            },
        ),
        migrations.CreateModel(
            name="TieRun",
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
                (
                    "began_at",
                    models.DateTimeField(help_text="When it began, by the machine's clock.", verbose_name="began"),
                ),
                (
                    "ended_at",
                    models.DateTimeField(help_text="When it ended, by the machine's clock.", verbose_name="ended"),
                ),
                (
                    "sent",
                    models.PositiveIntegerField(
                        default=0, help_text="Rows that were sent and taken.", verbose_name="sent"
                    ),
                ),
                (
                    "taken",
                    models.PositiveIntegerField(
                        default=0, help_text="Changes over there made here, too.", verbose_name="taken over"
                    ),
                ),
                (
                    "leads",
                    models.PositiveIntegerField(
                        default=0, help_text="Leads made of people new over there.", verbose_name="leads"
                    ),
                ),
                (
                    "unsubscribed",
                    models.PositiveIntegerField(
                        default=0, help_text="Addresses that get no advertising any more.", verbose_name="unsubscribed"
                    ),
                ),
                (
                    "conflicts",
                    models.PositiveIntegerField(
                        default=0,
                        help_text="Values that both sides had changed, and what was not taken over.",
                        verbose_name="conflicts",
                    ),
                ),
                (
                    "failed",
                    models.PositiveIntegerField(default=0, help_text="Rows that were refused.", verbose_name="refused"),
                ),
                (
                    "error",
                    models.CharField(
                        blank=True,
                        help_text="Why it ended early; empty: it did not.",
                        max_length=500,
                        verbose_name="error",
                    ),
                ),
            ],
            options={
                "verbose_name": "run of a tie",
            },
        ),
        migrations.AddField(
            model_name="tie",
            name="campaign",
            field=models.ForeignKey(
                blank=True,
                db_constraint=False,
                db_index=False,
                help_text="The campaign that leads from there are counted to.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="catalog.campaign",
                verbose_name="campaign of new leads",
            ),
        ),
        migrations.AddField(
            model_name="tie",
            name="is_two_way",
            field=models.BooleanField(
                db_default=False,
                default=False,
                help_text="Names and phone numbers changed over there are taken over; who is new there becomes a lead.",
                verbose_name="take over changes",
            ),
        ),
        migrations.AddField(
            model_name="tie",
            name="link_hash",
            field=models.CharField(
                blank=True,
                db_default="",
                default="",
                help_text="SHA-256 of the token of the secret link to its files; empty: there is none.",
                max_length=64,
            ),
        ),
        migrations.AddField(
            model_name="tie",
            name="two_way_since",
            field=models.DateTimeField(
                help_text="Who was made over there since then becomes a lead; by the machine's clock.", null=True
            ),
        ),
        migrations.AddField(
            model_name="tierecord",
            name="lists",
            field=models.JSONField(
                db_default=[],
                default=list,
                help_text="Lists and tags of the other system that the person is in and that are none of ours.",
                verbose_name="lists over there",
            ),
        ),
        migrations.AddField(
            model_name="tierecord",
            name="values",
            field=models.JSONField(
                db_default={}, default=dict, help_text="What stands over there, as far as both sides or a file show it."
            ),
        ),
        migrations.AlterField(
            model_name="lead",
            name="origin",
            field=models.CharField(
                choices=[("staff", "entered by staff"), ("form", "web form"), ("api", "API"), ("tie", "tie")],
                default="staff",
                help_text="By which door it came in.",
                max_length=5,
            ),
        ),
        migrations.AlterField(
            model_name="tie",
            name="kind",
            field=models.CharField(
                choices=[("brevo", "Brevo"), ("mailchimp", "Mailchimp"), ("hubspot", "HubSpot"), ("csv", "CSV files")],
                help_text="Which system it is.",
                max_length=9,
                verbose_name="kind",
            ),
        ),
        migrations.AlterField(
            model_name="tierecord",
            name="state",
            field=models.CharField(
                choices=[
                    ("sending", "being sent"),
                    ("sent", "up to date"),
                    ("kept", "known, without advertising"),
                    ("off", "unsubscribed from here"),
                    ("left", "unsubscribed over there"),
                    ("out", "taken from the list"),
                    ("failed", "refused"),
                    ("heard", "only known from there"),
                ],
                help_text="Where it stands.",
                max_length=7,
                verbose_name="state",
            ),
        ),
        migrations.AddIndex(
            model_name="tie",
            index=models.Index(
                condition=models.Q(("campaign__isnull", False)), fields=["campaign"], name="tie_by_campaign"
            ),
        ),
        migrations.AddConstraint(
            model_name="tie",
            constraint=models.UniqueConstraint(
                condition=models.Q(("link_hash", ""), _negated=True), fields=("link_hash",), name="tie_link_unique"
            ),
        ),
        migrations.AddField(
            model_name="tiechange",
            name="company",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                help_text="The company this row belongs to.",
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="core.company",
            ),
        ),
        migrations.AddField(
            model_name="tiechange",
            name="customer",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                help_text="Whose address it is.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="customers.customer",
            ),
        ),
        migrations.AddField(
            model_name="tiechange",
            name="lead",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                help_text="The lead it became.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="crm.lead",
            ),
        ),
        migrations.AddField(
            model_name="tiechange",
            name="tie",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                help_text="Of which tie.",
                on_delete=django.db.models.deletion.PROTECT,
                related_name="changes",
                to="crm.tie",
            ),
        ),
        migrations.AddField(
            model_name="tiefile",
            name="company",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                help_text="The company this row belongs to.",
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="core.company",
            ),
        ),
        migrations.AddField(
            model_name="tiefile",
            name="file",
            field=models.ForeignKey(
                help_text="The bytes; empty: they were erased.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="core.storedfile",
            ),
        ),
        migrations.AddField(
            model_name="tiefile",
            name="tie",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                help_text="For which tie.",
                on_delete=django.db.models.deletion.PROTECT,
                related_name="files",
                to="crm.tie",
            ),
        ),
        migrations.AddField(
            model_name="tierun",
            name="company",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                help_text="The company this row belongs to.",
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="core.company",
            ),
        ),
        migrations.AddField(
            model_name="tierun",
            name="tie",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                help_text="Of which tie.",
                on_delete=django.db.models.deletion.PROTECT,
                related_name="runs",
                to="crm.tie",
            ),
        ),
        migrations.AddIndex(
            model_name="tiechange",
            index=models.Index(fields=["tie", "-id"], name="tie_change_newest"),
        ),
        migrations.AddIndex(
            model_name="tiechange",
            index=models.Index(fields=["tie", "key"], name="tie_change_by_key"),
        ),
        migrations.AddIndex(
            model_name="tiechange",
            index=models.Index(
                condition=models.Q(("customer__isnull", False)), fields=["customer"], name="tie_change_of_customer"
            ),
        ),
        migrations.AddIndex(
            model_name="tiechange",
            index=models.Index(condition=models.Q(("lead__isnull", False)), fields=["lead"], name="tie_change_of_lead"),
        ),
        migrations.AddIndex(
            model_name="tiefile",
            index=models.Index(fields=["tie", "-id"], name="tie_file_newest"),
        ),
        migrations.AddConstraint(
            model_name="tiefile",
            constraint=models.UniqueConstraint(fields=("company", "id"), name="tie_file_company_key"),
        ),
        migrations.AddConstraint(
            model_name="tiefile",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("done_count__lte", models.F("line_count")), ("failed_count__lte", models.F("done_count"))
                ),
                name="tie_file_counts_fit",
            ),
        ),
        migrations.AddIndex(
            model_name="tierun",
            index=models.Index(fields=["tie", "-id"], name="tie_run_newest"),
        ),
        *[company_key(f"crm_{table}", column, parent, name=name) for table, column, parent, name in KEYS],
    ]
