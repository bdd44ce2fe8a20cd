"""Segments, and mailings to them: each in its company; a customer has one row in a mailing, which never goes."""

import core.ids
import django.contrib.postgres.fields
import django.core.validators
import django.db.models.deletion
from django.db import migrations, models

from core.schema import LOCK_TIMEOUT, company_key, frozen_but


class Migration(migrations.Migration):
    dependencies = [
        ("catalog", "0008_a_discount_is_something"),
        ("core", "0014_mail"),
        ("crm", "0005_leads_and_quotes"),
        ("customers", "0009_mail_states"),
        ("subscriptions", "0019_first_touch"),
    ]

    operations = [
        LOCK_TIMEOUT,
        migrations.CreateModel(
            name="Segment",
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
                ("name", models.CharField(help_text="Name shown to staff.", max_length=200, verbose_name="name")),
                (
                    "note",
                    models.CharField(blank=True, help_text="What it is for.", max_length=500, verbose_name="note"),
                ),
                (
                    "rules",
                    models.JSONField(
                        default=dict, help_text="Conditions in groups; see the list of fields.", verbose_name="rules"
                    ),
                ),
                ("created_at", models.DateTimeField(help_text="When it was made, by the company's clock.")),
                ("changed_at", models.DateTimeField(help_text="When it was last changed, by the company's clock.")),
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
            ],
            options={
                "verbose_name": "segment",
                "ordering": ("name", "id"),
            },
        ),
        migrations.CreateModel(
            name="Mailing",
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
                ("name", models.CharField(help_text="Name shown to staff.", max_length=200, verbose_name="name")),
                (
                    "subject",
                    models.JSONField(
                        default=dict,
                        help_text="Subject line by language; the company's is required.",
                        verbose_name="subject",
                    ),
                ),
                (
                    "body",
                    models.JSONField(
                        default=dict,
                        help_text="Words by language, with placeholders; the company's is required.",
                        verbose_name="text",
                    ),
                ),
                (
                    "per_hour",
                    models.PositiveIntegerField(
                        blank=True,
                        help_text="No more than so many customers in an hour; empty: as fast as it goes.",
                        null=True,
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(1000000),
                        ],
                        verbose_name="mails per hour",
                    ),
                ),
                (
                    "attribution_days",
                    models.PositiveSmallIntegerField(
                        default=90,
                        help_text="Days after the mail in which what a customer does counts as its effect.",
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(730),
                        ],
                        verbose_name="counts for",
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("draft", "draft"),
                            ("scheduled", "scheduled"),
                            ("running", "being sent"),
                            ("paused", "paused"),
                            ("done", "sent"),
                            ("canceled", "canceled"),
                        ],
                        default="draft",
                        help_text="Where it stands.",
                        max_length=9,
                        verbose_name="state",
                    ),
                ),
                (
                    "starts_at",
                    models.DateTimeField(
                        blank=True,
                        help_text="When it is to start; empty: not planned.",
                        null=True,
                        verbose_name="starts",
                    ),
                ),
                ("frozen_at", models.DateTimeField(blank=True, help_text="When it was fixed who gets it.", null=True)),
                ("done_at", models.DateTimeField(blank=True, help_text="When the last mail was written.", null=True)),
                ("created_at", models.DateTimeField(help_text="When it was made, by the company's clock.")),
                (
                    "campaign",
                    models.ForeignKey(
                        db_constraint=False,
                        help_text="The campaign it counts towards.",
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="mailings",
                        to="catalog.campaign",
                        verbose_name="campaign",
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
                    "offer",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        help_text="What is offered and taken by one click; or an offer code.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="mailings",
                        to="crm.offer",
                        verbose_name="offer",
                    ),
                ),
                (
                    "offer_code",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        help_text="The code that the text names; or an offer.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="mailings",
                        to="catalog.offercode",
                        verbose_name="offer code",
                    ),
                ),
                (
                    "segment",
                    models.ForeignKey(
                        db_constraint=False,
                        help_text="Who is meant; counted anew when it starts.",
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="mailings",
                        to="crm.segment",
                        verbose_name="segment",
                    ),
                ),
            ],
            options={
                "verbose_name": "mailing",
            },
        ),
        migrations.AddField(
            model_name="reminderrule",
            name="segment",
            field=models.ForeignKey(
                blank=True,
                db_constraint=False,
                help_text="Only customers of this segment; empty: all.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="reminder_rules",
                to="crm.segment",
                verbose_name="segment",
            ),
        ),
        migrations.CreateModel(
            name="MailingRecipient",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "emails",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=320),
                        default=list,
                        help_text="Addresses it goes to; each allowed advertising.",
                        size=None,
                    ),
                ),
                (
                    "left_out",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("no_consent", "advertising not allowed"),
                            ("blocked", "address blocked"),
                            ("no_address", "no address"),
                            ("no_subscription", "no subscription for the offer"),
                            ("archived", "archived since"),
                            ("failed", "the mail could not be made"),
                        ],
                        help_text="Why it was not written; empty: it was or will be.",
                        max_length=15,
                    ),
                ),
                ("sent_at", models.DateTimeField(help_text="When it was written, by the company's clock.", null=True)),
                ("offer_until_on", models.DateField(help_text="Last day to take the offer.", null=True)),
                ("clicked_at", models.DateTimeField(help_text="When its link was first opened.", null=True)),
                (
                    "accepted_at",
                    models.DateTimeField(help_text="When the offer was taken, or its code used.", null=True),
                ),
                (
                    "movement_mark",
                    models.BigIntegerField(
                        help_text="Movements up to this one were before the offer was taken; empty: told by the day.",
                        null=True,
                    ),
                ),
                (
                    "renewed_at",
                    models.DateTimeField(help_text="When a term of theirs was first seen to have renewed.", null=True),
                ),
                (
                    "agreed",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        help_text="The discount that was given.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="subscriptions.agreeddiscount",
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
                        help_text="Who was meant.",
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="mailings",
                        to="customers.customer",
                    ),
                ),
                (
                    "mailing",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        help_text="Of which mailing.",
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="recipients",
                        to="crm.mailing",
                    ),
                ),
                (
                    "message",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        help_text="The mail as it was written, to the first address.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="customers.message",
                    ),
                ),
                (
                    "subscription",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        help_text="The subscription that the offer is for.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="subscriptions.subscription",
                    ),
                ),
            ],
            options={
                "verbose_name": "mailing recipient",
                "indexes": [
                    models.Index(
                        condition=models.Q(("left_out", ""), ("sent_at__isnull", True)),
                        fields=["mailing", "id"],
                        name="mailing_recipient_to_do",
                    ),
                    models.Index(
                        condition=models.Q(("sent_at__isnull", False)),
                        fields=["mailing", "sent_at"],
                        name="mailing_recipient_sent",
                    ),
                    models.Index(fields=["company", "customer", "-id"], name="mailing_recipient_by_customer"),
                    models.Index(
                        condition=models.Q(("renewed_at__isnull", True), ("sent_at__isnull", False)),
                        fields=["company", "sent_at"],
                        name="mailing_recipient_renewing",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("mailing", "customer"), name="mailing_recipient_once"),
                    models.CheckConstraint(
                        condition=models.Q(("sent_at__isnull", True), ("left_out", ""), _connector="OR"),
                        name="mailing_recipient_sent_or_left_out",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("accepted_at__isnull", True), ("agreed__isnull", True)),
                            models.Q(
                                ("accepted_at__isnull", False), ("agreed__isnull", False), ("sent_at__isnull", False)
                            ),
                            _connector="OR",
                        ),
                        name="mailing_recipient_accepted_has_its_discount",
                    ),
                ],
            },
        ),
        migrations.AddIndex(
            model_name="segment",
            index=models.Index(fields=["company", "-id"], name="segment_by_age"),
        ),
        migrations.AddConstraint(
            model_name="segment",
            constraint=models.UniqueConstraint(fields=("company", "id"), name="segment_company_key"),
        ),
        migrations.AddConstraint(
            model_name="segment",
            constraint=models.UniqueConstraint(
                condition=models.Q(("archived_at__isnull", True)),
                fields=("company", "name"),
                name="segment_name_unique",
            ),
        ),
        migrations.AddIndex(
            model_name="mailing",
            index=models.Index(fields=["company", "-id"], name="mailing_by_age"),
        ),
        migrations.AddIndex(
            model_name="mailing",
            index=models.Index(
                condition=models.Q(("state__in", ["scheduled", "running"])),
                fields=["company", "starts_at"],
                name="mailing_live",
            ),
        ),
        migrations.AddConstraint(
            model_name="mailing",
            constraint=models.UniqueConstraint(fields=("company", "id"), name="mailing_company_key"),
        ),
        migrations.AddConstraint(
            model_name="mailing",
            constraint=models.CheckConstraint(
                condition=models.Q(("offer__isnull", True), ("offer_code__isnull", True), _connector="OR"),
                name="mailing_offer_or_code",
            ),
        ),
        migrations.AddConstraint(
            model_name="mailing",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["draft", "canceled"]), ("starts_at__isnull", False), _connector="OR"),
                name="mailing_has_its_start",
            ),
        ),
        migrations.AddConstraint(
            model_name="mailing",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state__in", ["running", "done"]), _negated=True),
                    ("frozen_at__isnull", False),
                    _connector="OR",
                ),
                name="mailing_knows_its_readers",
            ),
        ),
        migrations.AddConstraint(
            model_name="mailing",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("per_hour__isnull", True), ("per_hour__range", (1, 1000000)), _connector="OR"),
                    ("attribution_days__range", (1, 730)),
                ),
                name="mailing_numbers_in_range",
            ),
        ),
        company_key("crm_mailing", "campaign_id", "catalog_campaign", name="mailing_campaign_same_company"),
        company_key("crm_mailing", "segment_id", "crm_segment", name="mailing_segment_same_company"),
        company_key("crm_mailing", "offer_id", "crm_offer", name="mailing_offer_same_company"),
        company_key("crm_mailing", "offer_code_id", "catalog_offercode", name="mailing_offer_code_same_company"),
        company_key("crm_reminderrule", "segment_id", "crm_segment", name="reminder_rule_segment_same_company"),
        company_key("crm_mailingrecipient", "mailing_id", "crm_mailing", name="mailing_recipient_mailing_same_company"),
        company_key(
            "crm_mailingrecipient", "customer_id", "customers_customer", name="mailing_recipient_customer_same_company"
        ),
        company_key(
            "crm_mailingrecipient", "subscription_id", "subscriptions_subscription",
            name="mailing_recipient_subscription_same_company",
        ),
        company_key(
            "crm_mailingrecipient", "message_id", "customers_message", name="mailing_recipient_message_same_company"
        ),
        company_key(
            "crm_mailingrecipient", "agreed_id", "subscriptions_agreeddiscount",
            name="mailing_recipient_agreed_same_company",
        ),
        frozen_but(
            "crm_mailingrecipient", "emails", "left_out", "message_id", "sent_at", "offer_until_on", "clicked_at",
            "accepted_at", "agreed_id", "movement_mark", "renewed_at",
        ),
    ]  # fmt: skip
