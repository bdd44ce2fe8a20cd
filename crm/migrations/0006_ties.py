"""Ties to other systems, and what each person, company and deal was last sent: each row in its company."""

import core.ids
import core.sealing
import django.db.models.deletion
from django.db import migrations, models

from core.schema import LOCK_TIMEOUT, company_key


class Migration(migrations.Migration):
    dependencies = [
        ("core", "0017_webhook_log"),
        ("crm", "0005_segments_and_mailings"),
        ("customers", "0010_mail_not_sent"),
    ]

    operations = [
        LOCK_TIMEOUT,
        migrations.CreateModel(
            name="Tie",
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
                    "kind",
                    models.CharField(
                        choices=[
                            ("brevo", "Brevo"),
                            ("mailchimp", "Mailchimp"),
                            ("hubspot", "HubSpot"),
                        ],
                        help_text="Which system it is.",
                        max_length=9,
                        verbose_name="kind",
                    ),
                ),
                ("name", models.CharField(help_text="Name shown to staff.", max_length=200, verbose_name="name")),
                (
                    "secret",
                    core.sealing.SealedField(
                        blank=True,
                        help_text="The system's API key; kept sealed, never shown.",
                        verbose_name="secret key",
                    ),
                ),
                (
                    "audience",
                    models.CharField(
                        blank=True,
                        help_text="Id of the list or audience over there.",
                        max_length=60,
                        verbose_name="list",
                    ),
                ),
                (
                    "marks",
                    models.JSONField(
                        blank=True,
                        default=list,
                        help_text="Ids of the segments over there shown at each person who belongs to them.",
                        verbose_name="segments as marks",
                    ),
                ),
                (
                    "is_on",
                    models.BooleanField(
                        default=False, help_text="Whether it is kept up by itself.", verbose_name="in use"
                    ),
                ),
                (
                    "done_through_id",
                    models.BigIntegerField(
                        default=0, help_text="Customers up to this one were looked at in this round; 0: a round begins."
                    ),
                ),
                (
                    "heard_through",
                    models.CharField(
                        blank=True,
                        help_text="How far changes over there were heard, as that system writes it.",
                        max_length=80,
                    ),
                ),
                (
                    "waits_for",
                    models.CharField(
                        blank=True, help_text="Work of the other system that is not yet confirmed.", max_length=80
                    ),
                ),
                (
                    "paused_until",
                    models.DateTimeField(
                        help_text="The other system asked to wait; by the machine's clock.",
                        null=True,
                        verbose_name="pause until",
                    ),
                ),
                (
                    "lease_until",
                    models.DateTimeField(help_text="A worker is at it until then, by the machine's clock.", null=True),
                ),
                (
                    "ran_at",
                    models.DateTimeField(
                        help_text="Last run, by the machine's clock.", null=True, verbose_name="last run"
                    ),
                ),
                (
                    "last_error",
                    models.CharField(
                        blank=True,
                        help_text="Why the last run ended early; empty: it did not.",
                        max_length=500,
                        verbose_name="last error",
                    ),
                ),
                ("created_at", models.DateTimeField(help_text="When it was made, by the company's clock.")),
                ("archived_at", models.DateTimeField(blank=True, help_text="Hidden since.", null=True)),
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
                        blank=True,
                        db_index=False,
                        help_text="Customers that are sent; empty: all.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="ties",
                        to="crm.segment",
                        verbose_name="segment",
                    ),
                ),
            ],
            options={
                "verbose_name": "tie",
                "ordering": ("name", "id"),
            },
        ),
        migrations.CreateModel(
            name="TieRecord",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(
                        choices=[("company", "company"), ("person", "person"), ("deal", "deal")],
                        help_text="What it is.",
                        max_length=7,
                        verbose_name="kind",
                    ),
                ),
                (
                    "key",
                    models.CharField(
                        help_text="E-mail address in lower case; else our id.",
                        max_length=320,
                        verbose_name="address or id",
                    ),
                ),
                (
                    "external_id",
                    models.CharField(
                        blank=True, help_text="Its id over there.", max_length=120, verbose_name="id over there"
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("sending", "being sent"),
                            ("sent", "up to date"),
                            ("kept", "known, without advertising"),
                            ("off", "unsubscribed from here"),
                            ("left", "unsubscribed over there"),
                            ("out", "taken from the list"),
                            ("failed", "refused"),
                        ],
                        help_text="Where it stands.",
                        max_length=7,
                        verbose_name="state",
                    ),
                ),
                ("digest", models.CharField(blank=True, help_text="Fingerprint of what was last sent.", max_length=64)),
                (
                    "heard",
                    models.CharField(
                        blank=True, help_text="Instant of the last change heard from there.", max_length=40
                    ),
                ),
                (
                    "error",
                    models.CharField(blank=True, help_text="Why it was refused.", max_length=300, verbose_name="error"),
                ),
                (
                    "synced_at",
                    models.DateTimeField(
                        help_text="When it was last sent, by the machine.", null=True, verbose_name="sent"
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
                        help_text="To whom it belongs.",
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="customers.customer",
                    ),
                ),
                (
                    "tie",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        help_text="Of which tie.",
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="records",
                        to="crm.tie",
                    ),
                ),
            ],
            options={
                "verbose_name": "record of a tie",
            },
        ),
        migrations.AddIndex(
            model_name="tie",
            index=models.Index(condition=models.Q(("is_on", True)), fields=["company"], name="tie_in_use"),
        ),
        migrations.AddIndex(
            model_name="tie",
            index=models.Index(
                condition=models.Q(("segment__isnull", False)), fields=["segment"], name="tie_by_segment"
            ),
        ),
        migrations.AddConstraint(
            model_name="tie",
            constraint=models.UniqueConstraint(fields=("company", "id"), name="tie_company_key"),
        ),
        migrations.AddConstraint(
            model_name="tie",
            constraint=models.UniqueConstraint(
                condition=models.Q(("archived_at__isnull", True)), fields=("company", "name"), name="tie_name_unique"
            ),
        ),
        migrations.AddConstraint(
            model_name="tie",
            constraint=models.CheckConstraint(
                condition=models.Q(("is_on", False), ("archived_at__isnull", True), _connector="OR"),
                name="tie_archived_is_off",
            ),
        ),
        migrations.AddIndex(
            model_name="tierecord",
            index=models.Index(fields=["tie", "customer"], name="tie_record_by_customer"),
        ),
        migrations.AddIndex(
            model_name="tierecord",
            index=models.Index(fields=["customer"], name="tie_record_of_customer"),
        ),
        migrations.AddIndex(
            model_name="tierecord",
            index=models.Index(fields=["tie", "state"], name="tie_record_by_state"),
        ),
        migrations.AddConstraint(
            model_name="tierecord",
            constraint=models.UniqueConstraint(fields=("tie", "kind", "key"), name="tie_record_once"),
        ),
        company_key("crm_tie", "segment_id", "crm_segment", name="tie_segment_same_company"),
        company_key("crm_tierecord", "tie_id", "crm_tie", name="tie_record_tie_same_company"),
        company_key("crm_tierecord", "customer_id", "customers_customer", name="tie_record_customer_same_company"),
    ]
