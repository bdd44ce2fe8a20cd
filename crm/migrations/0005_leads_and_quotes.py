"""Leads with their stages and form; quotes in versions, frozen when sent, with their answers."""

import core.ids
import django.contrib.postgres.indexes
import django.core.validators
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from core.schema import LOCK_TIMEOUT, company_key, frozen, frozen_but


CUSTOMER, CAMPAIGN = "customers_customer", "catalog_campaign"
KEYS = [
    ("lead", "stage_id", "crm_leadstage", "lead_stage_same_company"),
    ("lead", "campaign_id", CAMPAIGN, "lead_campaign_same_company"),
    ("lead", "customer_id", CUSTOMER, "lead_customer_same_company"),
    ("lead", "merged_into_id", "crm_lead", "lead_merged_into_same_company"),
    ("leadnote", "lead_id", "crm_lead", "lead_note_same_company"),
    ("leadform", "team_id", "core_role", "lead_form_team_same_company"),
    ("leadform", "campaign_id", CAMPAIGN, "lead_form_campaign_same_company"),
    ("task", "lead_id", "crm_lead", "task_lead_same_company"),
    ("quote", "lead_id", "crm_lead", "quote_lead_same_company"),
    ("quote", "customer_id", CUSTOMER, "quote_customer_same_company"),
    ("quote", "plan_id", "catalog_plan", "quote_plan_same_company"),
    ("quote", "message_id", "customers_message", "quote_message_same_company"),
    ("quote", "follow_up_id", "crm_task", "quote_follow_up_same_company"),
    ("quote", "subscription_id", "subscriptions_subscription", "quote_subscription_same_company"),
    ("quote", "invoice_id", "billing_invoice", "quote_invoice_same_company"),
    ("quoteline", "quote_id", "crm_quote", "quote_line_quote_same_company"),
    ("quoteline", "product_id", "catalog_product", "quote_line_product_same_company"),
    ("quoteline", "price_id", "catalog_price", "quote_line_price_same_company"),
    ("quotediscount", "quote_id", "crm_quote", "quote_discount_quote_same_company"),
    ("quotediscount", "discount_id", "catalog_discount", "quote_discount_discount_same_company"),
    ("quoteanswer", "quote_id", "crm_quote", "quote_answer_quote_same_company"),
]
#: What moves on a quote that was sent.
MOVES = ["state", "customer_id", "pdf_id", "message_id", "follow_up_id", "subscription_id", "invoice_id", "opened_at",
         "ended_at"]  # fmt: skip
PARTS_FUNCTION = migrations.RunSQL(
    """
    CREATE FUNCTION turnus_quote_parts_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        held bigint = CASE WHEN TG_OP = 'INSERT' THEN NEW.quote_id ELSE OLD.quote_id END;
    BEGIN
        IF EXISTS (SELECT 1 FROM crm_quote WHERE id = held AND state <> 'draft') THEN
            RAISE EXCEPTION 'a part of a quote that was sent is frozen: % refused', TG_OP
                USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_TABLE_NAME || '_is_frozen';
        END IF;
        RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
    END $$
    """,
    "DROP FUNCTION turnus_quote_parts_frozen()",
)


def frozen_with_its_quote(table):
    """Rows come, change and go only while their quote is a draft."""
    return migrations.RunSQL(
        f"""
        CREATE TRIGGER {table}_frozen BEFORE INSERT OR UPDATE OR DELETE ON {table}
            FOR EACH ROW EXECUTE FUNCTION turnus_quote_parts_frozen();
        CREATE TRIGGER {table}_frozen_truncate BEFORE TRUNCATE ON {table}
            FOR EACH STATEMENT EXECUTE FUNCTION turnus_frozen();
        """,
        f"DROP TRIGGER {table}_frozen ON {table}; DROP TRIGGER {table}_frozen_truncate ON {table};",
    )


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0027_seal_files"),
        ("catalog", "0008_a_discount_is_something"),
        ("core", "0015_roles_that_sell"),
        ("crm", "0004_digest_message_key"),
        ("customers", "0009_mail_states"),
        ("subscriptions", "0019_first_touch"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        LOCK_TIMEOUT,
        migrations.CreateModel(
            name="LeadForm",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "is_active",
                    models.BooleanField(
                        default=False, help_text="Whether the form can be filled in.", verbose_name="open"
                    ),
                ),
                (
                    "title",
                    models.JSONField(blank=True, default=dict, help_text="Title by language.", verbose_name="title"),
                ),
                (
                    "intro",
                    models.JSONField(
                        blank=True, default=dict, help_text="Text above it, by language.", verbose_name="introduction"
                    ),
                ),
                (
                    "privacy",
                    models.JSONField(
                        blank=True,
                        default=dict,
                        help_text="What is done with the data, by language.",
                        verbose_name="privacy notice",
                    ),
                ),
                (
                    "privacy_url",
                    models.URLField(
                        blank=True, help_text="Address of your privacy policy.", verbose_name="privacy policy"
                    ),
                ),
                (
                    "asks_consent",
                    models.BooleanField(
                        default=True,
                        help_text="A box that nobody has to tick.",
                        verbose_name="asks for consent to advertising",
                    ),
                ),
            ],
            options={
                "verbose_name": "web form",
            },
        ),
        migrations.CreateModel(
            name="LeadNote",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "text",
                    models.TextField(help_text="What colleagues should know.", max_length=10000, verbose_name="note"),
                ),
                ("by", models.CharField(help_text="Who wrote it.", max_length=120)),
                ("at", models.DateTimeField(help_text="When, by the company's clock.")),
            ],
        ),
        migrations.CreateModel(
            name="LeadStage",
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
                    "name",
                    models.CharField(
                        help_text="Name shown to staff, unique in the company.", max_length=80, verbose_name="name"
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[("open", "open"), ("won", "won"), ("lost", "lost")],
                        default="open",
                        help_text="Whether leads here are worked on, won or lost.",
                        max_length=4,
                        verbose_name="kind",
                    ),
                ),
                (
                    "probability",
                    models.PositiveSmallIntegerField(
                        default=0,
                        help_text="Percent of leads here that are won in the end.",
                        validators=[django.core.validators.MaxValueValidator(100)],
                        verbose_name="probability",
                    ),
                ),
                (
                    "position",
                    models.PositiveSmallIntegerField(
                        help_text="From left to right on the board.", verbose_name="order"
                    ),
                ),
                ("archived_at", models.DateTimeField(blank=True, help_text="Not chosen anew since.", null=True)),
            ],
            options={
                "verbose_name": "stage",
                "ordering": ("position", "id"),
            },
        ),
        migrations.CreateModel(
            name="Quote",
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
                    "number",
                    models.CharField(help_text="The same for every version.", max_length=40, verbose_name="number"),
                ),
                (
                    "version",
                    models.PositiveSmallIntegerField(
                        default=1, help_text="1 for the first one.", verbose_name="version"
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("draft", "draft"),
                            ("sent", "sent"),
                            ("accepted", "accepted"),
                            ("declined", "declined"),
                            ("expired", "expired"),
                            ("replaced", "replaced"),
                            ("withdrawn", "withdrawn"),
                        ],
                        default="draft",
                        help_text="Where it stands.",
                        max_length=9,
                        verbose_name="status",
                    ),
                ),
                (
                    "recipient",
                    models.CharField(
                        help_text="Name of the company or person.", max_length=200, verbose_name="recipient"
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[("company", "company"), ("person", "person")],
                        default="company",
                        help_text="Business or consumer.",
                        max_length=7,
                        verbose_name="kind",
                    ),
                ),
                (
                    "person",
                    models.CharField(
                        blank=True, help_text="The person to talk to there.", max_length=200, verbose_name="contact"
                    ),
                ),
                (
                    "email",
                    models.EmailField(blank=True, help_text="Where it is sent.", max_length=254, verbose_name="e-mail"),
                ),
                (
                    "address",
                    models.JSONField(
                        blank=True,
                        default=dict,
                        help_text="Street, town and country; taxes depend on the country.",
                        verbose_name="address",
                    ),
                ),
                (
                    "vat_id",
                    models.CharField(
                        blank=True, help_text="With country letters.", max_length=20, verbose_name="VAT id"
                    ),
                ),
                (
                    "language",
                    models.CharField(
                        choices=[
                            ("en", "English"),
                            ("de", "German"),
                            ("fr", "French"),
                            ("it", "Italian"),
                            ("es", "Spanish"),
                        ],
                        help_text="Language of the quote and its mails.",
                        max_length=5,
                        verbose_name="language",
                    ),
                ),
                (
                    "currency",
                    models.CharField(help_text="Of all its amounts, ISO 4217.", max_length=3, verbose_name="currency"),
                ),
                ("title", models.CharField(help_text="What it is about.", max_length=200, verbose_name="title")),
                (
                    "intro",
                    models.TextField(
                        blank=True,
                        help_text="Printed above the positions.",
                        max_length=10000,
                        verbose_name="introduction",
                    ),
                ),
                (
                    "closing",
                    models.TextField(
                        blank=True, help_text="Printed below the sums.", max_length=10000, verbose_name="closing"
                    ),
                ),
                (
                    "start_on",
                    models.DateField(
                        blank=True,
                        help_text="First day of service; empty: the day of acceptance.",
                        null=True,
                        verbose_name="start",
                    ),
                ),
                ("valid_until", models.DateField(help_text="Last day to accept it.", verbose_name="valid until")),
                (
                    "offer_code",
                    models.CharField(
                        blank=True,
                        help_text="A code whose discount is given at the start.",
                        max_length=40,
                        verbose_name="offer code",
                    ),
                ),
                ("content", models.JSONField(help_text="All that the recipient reads, as it was sent.", null=True)),
                (
                    "content_hash",
                    models.CharField(blank=True, help_text="SHA-256 of it, in hexadecimal.", max_length=64),
                ),
                ("created_at", models.DateTimeField(help_text="When it was made, by the company's clock.")),
                ("created_by", models.CharField(help_text="Who or what made it.", max_length=120)),
                ("sent_at", models.DateTimeField(help_text="When it was sent, by the company's clock.", null=True)),
                ("opened_at", models.DateTimeField(help_text="When its page was first looked at.", null=True)),
                (
                    "ended_at",
                    models.DateTimeField(
                        help_text="When it was answered, ran out, was replaced or withdrawn, by the company's clock.",
                        null=True,
                    ),
                ),
            ],
            options={
                "verbose_name": "quote",
            },
        ),
        migrations.CreateModel(
            name="QuoteAnswer",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(
                        choices=[("accepted", "accepted"), ("declined", "declined")],
                        help_text="Accepted or declined.",
                        max_length=8,
                    ),
                ),
                (
                    "name",
                    models.CharField(
                        blank=True, help_text="The name that was typed.", max_length=200, verbose_name="name"
                    ),
                ),
                ("place", models.CharField(blank=True, help_text="The address it came from.", max_length=64)),
                ("agent", models.CharField(blank=True, help_text="The browser it came from.", max_length=300)),
                ("by", models.CharField(help_text="Who gave it: the recipient, or staff for them.", max_length=120)),
                (
                    "reason",
                    models.TextField(
                        blank=True, help_text="Why it was declined.", max_length=2000, verbose_name="reason"
                    ),
                ),
                (
                    "content",
                    models.JSONField(help_text="What was answered: the quote, what was chosen, what it costs."),
                ),
                ("content_hash", models.CharField(help_text="SHA-256 of it, in hexadecimal.", max_length=64)),
                ("at", models.DateTimeField(help_text="When, by the company's clock.")),
            ],
        ),
        migrations.CreateModel(
            name="QuoteDiscount",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
            ],
        ),
        migrations.CreateModel(
            name="QuoteLine",
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
                ("position", models.PositiveSmallIntegerField(help_text="Order on the paper.")),
                (
                    "kind",
                    models.CharField(
                        choices=[("recurring", "each period"), ("usage", "by usage"), ("one_off", "once")],
                        help_text="Recurring, by usage or charged once.",
                        max_length=9,
                        verbose_name="kind",
                    ),
                ),
                (
                    "quantity",
                    models.DecimalField(
                        decimal_places=6, help_text="Number of units.", max_digits=20, verbose_name="quantity"
                    ),
                ),
                (
                    "unit_amount",
                    models.DecimalField(
                        blank=True,
                        decimal_places=10,
                        help_text="Of one unit; empty: the catalog's.",
                        max_digits=24,
                        null=True,
                        verbose_name="agreed price",
                    ),
                ),
                (
                    "description",
                    models.CharField(
                        blank=True,
                        help_text="Said below the product's name.",
                        max_length=500,
                        verbose_name="description",
                    ),
                ),
                (
                    "is_optional",
                    models.BooleanField(
                        default=False, help_text="The recipient may choose it.", verbose_name="optional"
                    ),
                ),
                (
                    "is_chosen",
                    models.BooleanField(
                        default=True,
                        help_text="Whether an optional position is ticked to begin with.",
                        verbose_name="ticked",
                    ),
                ),
            ],
            options={
                "verbose_name": "position",
                "ordering": ("position", "id"),
            },
        ),
        migrations.CreateModel(
            name="Lead",
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
                    "name",
                    models.CharField(
                        blank=True, help_text="The person to talk to.", max_length=200, verbose_name="name"
                    ),
                ),
                (
                    "organization",
                    models.CharField(
                        blank=True,
                        help_text="The company they speak for; empty: a private person.",
                        max_length=200,
                        verbose_name="company",
                    ),
                ),
                (
                    "email",
                    models.EmailField(
                        blank=True, help_text="Where they are written to.", max_length=254, verbose_name="e-mail"
                    ),
                ),
                (
                    "phone",
                    models.CharField(blank=True, help_text="With country code.", max_length=40, verbose_name="phone"),
                ),
                (
                    "country",
                    models.CharField(
                        blank=True,
                        help_text="ISO 3166 code, such as DE; empty: not known.",
                        max_length=2,
                        verbose_name="country",
                    ),
                ),
                (
                    "language",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("en", "English"),
                            ("de", "German"),
                            ("fr", "French"),
                            ("it", "Italian"),
                            ("es", "Spanish"),
                        ],
                        help_text="Language they are written to in; empty: the company's.",
                        max_length=5,
                        verbose_name="language",
                    ),
                ),
                (
                    "message",
                    models.TextField(
                        blank=True,
                        help_text="What they want, in their own words.",
                        max_length=10000,
                        verbose_name="message",
                    ),
                ),
                (
                    "probability",
                    models.PositiveSmallIntegerField(
                        blank=True,
                        help_text="Percent; empty: the stage's.",
                        null=True,
                        validators=[django.core.validators.MaxValueValidator(100)],
                        verbose_name="probability",
                    ),
                ),
                (
                    "value_minor",
                    models.BigIntegerField(
                        blank=True,
                        help_text="What they would pay a month, in minor units; empty: not known.",
                        null=True,
                        verbose_name="expected monthly amount",
                    ),
                ),
                (
                    "currency",
                    models.CharField(help_text="Of the amount, ISO 4217.", max_length=3, verbose_name="currency"),
                ),
                (
                    "source",
                    models.CharField(
                        blank=True,
                        help_text="Where they came from, such as fair or recommendation.",
                        max_length=80,
                        verbose_name="source",
                    ),
                ),
                (
                    "origin",
                    models.CharField(
                        choices=[("staff", "entered by staff"), ("form", "web form"), ("api", "API")],
                        default="staff",
                        help_text="By which door it came in.",
                        max_length=5,
                    ),
                ),
                (
                    "lost_reason",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("price", "too expensive"),
                            ("competitor", "bought elsewhere"),
                            ("no_need", "doesn't need it"),
                            ("later", "not now"),
                            ("no_answer", "doesn't answer"),
                            ("unfit", "can't be served"),
                            ("duplicate", "duplicate of another lead"),
                            ("other", "other"),
                        ],
                        help_text="Why it was lost.",
                        max_length=10,
                        verbose_name="reason",
                    ),
                ),
                (
                    "lost_words",
                    models.CharField(
                        blank=True, help_text="The reason in more words.", max_length=500, verbose_name="remark"
                    ),
                ),
                (
                    "consent_at",
                    models.DateTimeField(
                        blank=True, help_text="When they allowed advertising; empty: they did not.", null=True
                    ),
                ),
                ("consent_source", models.CharField(blank=True, help_text="How they said so.", max_length=120)),
                (
                    "privacy_text",
                    models.TextField(blank=True, help_text="The privacy notice they read, word for word."),
                ),
                (
                    "external_id",
                    models.CharField(
                        blank=True,
                        help_text="Id in another system, unique where given.",
                        max_length=120,
                        verbose_name="external id",
                    ),
                ),
                (
                    "form_key",
                    models.CharField(
                        blank=True,
                        help_text="Which sending of the web form made it, so that none makes two.",
                        max_length=40,
                    ),
                ),
                (
                    "email_key",
                    models.CharField(blank=True, help_text="The e-mail address, as it is compared.", max_length=254),
                ),
                ("phone_key", models.CharField(blank=True, help_text="The phone number's last digits.", max_length=40)),
                (
                    "domain_key",
                    models.CharField(
                        blank=True,
                        help_text="The address's domain; empty for those that anybody can have.",
                        max_length=254,
                    ),
                ),
                (
                    "organization_key",
                    models.CharField(blank=True, help_text="The company, as compared.", max_length=200),
                ),
                ("stage_since", models.DateTimeField(help_text="When it came to its stage, by the company's clock.")),
                ("created_at", models.DateTimeField(help_text="When it was made, by the company's clock.")),
                ("created_by", models.CharField(help_text="Who or what made it.", max_length=120)),
                (
                    "converted_at",
                    models.DateTimeField(help_text="When it became a customer, by the company's clock.", null=True),
                ),
                (
                    "campaign",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        help_text="The campaign that brought them.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="catalog.campaign",
                        verbose_name="campaign",
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
                (
                    "customer",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        help_text="The customer it became.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="leads",
                        to="customers.customer",
                        verbose_name="customer",
                    ),
                ),
                (
                    "merged_into",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        help_text="The lead that it was a duplicate of.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="merged",
                        to="crm.lead",
                    ),
                ),
                (
                    "owner",
                    models.ForeignKey(
                        blank=True,
                        help_text="Who works on it; empty: whoever of sales takes it.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="owner",
                    ),
                ),
            ],
            options={
                "verbose_name": "lead",
            },
        ),
        migrations.AddField(
            model_name="task",
            name="lead",
            field=models.ForeignKey(
                blank=True,
                db_constraint=False,
                help_text="About which lead.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="tasks",
                to="crm.lead",
            ),
        ),
        migrations.AddIndex(
            model_name="task",
            index=models.Index(
                condition=models.Q(("lead__isnull", False)), fields=["lead", "due_on", "id"], name="task_by_lead"
            ),
        ),
        migrations.AddField(
            model_name="leadform",
            name="campaign",
            field=models.ForeignKey(
                blank=True,
                db_constraint=False,
                help_text="Of those whose link names none.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="catalog.campaign",
                verbose_name="campaign",
            ),
        ),
        migrations.AddField(
            model_name="leadform",
            name="company",
            field=models.ForeignKey(
                db_index=False,
                help_text="The company this row belongs to.",
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="core.company",
            ),
        ),
        migrations.AddField(
            model_name="leadform",
            name="owner",
            field=models.ForeignKey(
                blank=True,
                help_text="Who gets what comes in; empty: the team.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
                verbose_name="owner",
            ),
        ),
        migrations.AddField(
            model_name="leadform",
            name="team",
            field=models.ForeignKey(
                blank=True,
                db_constraint=False,
                help_text="Role whose people see to what comes in.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="core.role",
                verbose_name="team",
            ),
        ),
        migrations.AddField(
            model_name="leadnote",
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
            model_name="leadnote",
            name="lead",
            field=models.ForeignKey(
                db_constraint=False,
                help_text="On which lead.",
                on_delete=django.db.models.deletion.PROTECT,
                related_name="notes",
                to="crm.lead",
            ),
        ),
        migrations.AddField(
            model_name="leadstage",
            name="company",
            field=models.ForeignKey(
                db_index=False,
                help_text="The company this row belongs to.",
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="core.company",
            ),
        ),
        migrations.AddField(
            model_name="lead",
            name="stage",
            field=models.ForeignKey(
                db_constraint=False,
                help_text="Where it stands in the pipeline.",
                on_delete=django.db.models.deletion.PROTECT,
                related_name="leads",
                to="crm.leadstage",
                verbose_name="stage",
            ),
        ),
        migrations.AddField(
            model_name="quote",
            name="company",
            field=models.ForeignKey(
                db_index=False,
                help_text="The company this row belongs to.",
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="core.company",
            ),
        ),
        migrations.AddField(
            model_name="quote",
            name="customer",
            field=models.ForeignKey(
                blank=True,
                db_constraint=False,
                help_text="The customer it is for, or who accepted it.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="quotes",
                to="customers.customer",
                verbose_name="customer",
            ),
        ),
        migrations.AddField(
            model_name="quote",
            name="follow_up",
            field=models.ForeignKey(
                db_constraint=False,
                help_text="The task to ask after it.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="crm.task",
            ),
        ),
        migrations.AddField(
            model_name="quote",
            name="invoice",
            field=models.ForeignKey(
                db_constraint=False,
                help_text="The first invoice, issued by accepting it.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="billing.invoice",
            ),
        ),
        migrations.AddField(
            model_name="quote",
            name="lead",
            field=models.ForeignKey(
                blank=True,
                db_constraint=False,
                help_text="The lead it is for.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="quotes",
                to="crm.lead",
                verbose_name="lead",
            ),
        ),
        migrations.AddField(
            model_name="quote",
            name="message",
            field=models.ForeignKey(
                db_constraint=False,
                help_text="The mail it was sent with.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="customers.message",
            ),
        ),
        migrations.AddField(
            model_name="quote",
            name="owner",
            field=models.ForeignKey(
                blank=True,
                help_text="Who follows it up.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
                verbose_name="owner",
            ),
        ),
        migrations.AddField(
            model_name="quote",
            name="pdf",
            field=models.ForeignKey(
                help_text="The paper, made from that content.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="core.storedfile",
            ),
        ),
        migrations.AddField(
            model_name="quote",
            name="plan",
            field=models.ForeignKey(
                db_constraint=False,
                help_text="The template: rhythm, term and notice come from it.",
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="catalog.plan",
                verbose_name="plan",
            ),
        ),
        migrations.AddField(
            model_name="quote",
            name="subscription",
            field=models.ForeignKey(
                db_constraint=False,
                help_text="What was agreed by accepting it.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="quotes",
                to="subscriptions.subscription",
            ),
        ),
        migrations.AddField(
            model_name="quoteanswer",
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
            model_name="quoteanswer",
            name="quote",
            field=models.ForeignKey(
                db_constraint=False,
                help_text="Which quote.",
                on_delete=django.db.models.deletion.PROTECT,
                related_name="answers",
                to="crm.quote",
            ),
        ),
        migrations.AddField(
            model_name="quotediscount",
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
            model_name="quotediscount",
            name="discount",
            field=models.ForeignKey(
                db_constraint=False,
                help_text="What is given at the start.",
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="catalog.discount",
            ),
        ),
        migrations.AddField(
            model_name="quotediscount",
            name="quote",
            field=models.ForeignKey(
                db_constraint=False,
                help_text="With which quote.",
                on_delete=django.db.models.deletion.PROTECT,
                related_name="discounts",
                to="crm.quote",
            ),
        ),
        migrations.AddField(
            model_name="quoteline",
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
            model_name="quoteline",
            name="price",
            field=models.ForeignKey(
                blank=True,
                db_constraint=False,
                help_text="The catalog's price version; empty: agreed apart from the catalog.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="catalog.price",
            ),
        ),
        migrations.AddField(
            model_name="quoteline",
            name="product",
            field=models.ForeignKey(
                db_constraint=False,
                help_text="What is sold.",
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="catalog.product",
                verbose_name="product",
            ),
        ),
        migrations.AddField(
            model_name="quoteline",
            name="quote",
            field=models.ForeignKey(
                db_constraint=False,
                help_text="Of which quote.",
                on_delete=django.db.models.deletion.PROTECT,
                related_name="lines",
                to="crm.quote",
            ),
        ),
        migrations.AddConstraint(
            model_name="leadform",
            constraint=models.UniqueConstraint(fields=("company",), name="lead_form_one_a_company"),
        ),
        migrations.AddIndex(
            model_name="leadnote",
            index=models.Index(fields=["lead", "id"], name="lead_note_by_lead"),
        ),
        migrations.AddConstraint(
            model_name="leadstage",
            constraint=models.UniqueConstraint(fields=("company", "id"), name="lead_stage_company_key"),
        ),
        migrations.AddConstraint(
            model_name="leadstage",
            constraint=models.UniqueConstraint(fields=("company", "name"), name="lead_stage_name_unique"),
        ),
        migrations.AddConstraint(
            model_name="leadstage",
            constraint=models.CheckConstraint(
                condition=models.Q(("probability__lte", 100)), name="lead_stage_probability_is_percent"
            ),
        ),
        migrations.AddIndex(
            model_name="lead",
            index=models.Index(fields=["company", "-id"], name="lead_newest"),
        ),
        migrations.AddIndex(
            model_name="lead",
            index=models.Index(
                condition=models.Q(("merged_into", None)), fields=["company", "stage", "-id"], name="lead_by_stage"
            ),
        ),
        migrations.AddIndex(
            model_name="lead",
            index=models.Index(
                condition=models.Q(("email_key", ""), _negated=True),
                fields=["company", "email_key"],
                name="lead_by_email",
            ),
        ),
        migrations.AddIndex(
            model_name="lead",
            index=models.Index(
                condition=models.Q(("phone_key", ""), _negated=True),
                fields=["company", "phone_key"],
                name="lead_by_phone",
            ),
        ),
        migrations.AddIndex(
            model_name="lead",
            index=django.contrib.postgres.indexes.GinIndex(
                django.contrib.postgres.indexes.OpClass("organization_key", name="gin_trgm_ops"),
                name="lead_organization_trigram",
            ),
        ),
        migrations.AddConstraint(
            model_name="lead",
            constraint=models.UniqueConstraint(fields=("company", "id"), name="lead_company_key"),
        ),
        migrations.AddConstraint(
            model_name="lead",
            constraint=models.UniqueConstraint(
                condition=models.Q(("external_id", ""), _negated=True),
                fields=("company", "external_id"),
                name="lead_external_id_unique",
            ),
        ),
        migrations.AddConstraint(
            model_name="lead",
            constraint=models.UniqueConstraint(
                condition=models.Q(("form_key", ""), _negated=True),
                fields=("company", "form_key"),
                name="lead_once_a_form",
            ),
        ),
        migrations.AddConstraint(
            model_name="lead",
            constraint=models.CheckConstraint(
                condition=models.Q(("name", ""), ("organization", ""), _negated=True), name="lead_has_a_name"
            ),
        ),
        migrations.AddConstraint(
            model_name="lead",
            constraint=models.CheckConstraint(
                condition=models.Q(("probability__isnull", True), ("probability__lte", 100), _connector="OR"),
                name="lead_probability_is_percent",
            ),
        ),
        migrations.AddConstraint(
            model_name="lead",
            constraint=models.CheckConstraint(
                condition=models.Q(("value_minor__isnull", True), ("value_minor__gte", 0), _connector="OR"),
                name="lead_value_from_zero",
            ),
        ),
        migrations.AddConstraint(
            model_name="lead",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("converted_at__isnull", True), ("customer__isnull", True)),
                    models.Q(("converted_at__isnull", False), ("customer__isnull", False)),
                    _connector="OR",
                ),
                name="lead_converted_has_its_time",
            ),
        ),
        migrations.AddIndex(
            model_name="quote",
            index=models.Index(fields=["company", "-id"], name="quote_newest"),
        ),
        migrations.AddIndex(
            model_name="quote",
            index=models.Index(
                condition=models.Q(("state", "sent")), fields=["company", "valid_until", "id"], name="quote_open"
            ),
        ),
        migrations.AddIndex(
            model_name="quote",
            index=models.Index(
                condition=models.Q(("customer__isnull", False)),
                fields=["company", "customer", "-id"],
                name="quote_by_customer",
            ),
        ),
        migrations.AddIndex(
            model_name="quote",
            index=models.Index(
                condition=models.Q(("lead__isnull", False)), fields=["company", "lead", "-id"], name="quote_by_lead"
            ),
        ),
        migrations.AddConstraint(
            model_name="quote",
            constraint=models.UniqueConstraint(fields=("company", "id"), name="quote_company_key"),
        ),
        migrations.AddConstraint(
            model_name="quote",
            constraint=models.UniqueConstraint(fields=("company", "number", "version"), name="quote_version_unique"),
        ),
        migrations.AddConstraint(
            model_name="quote",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state__in", ["draft", "sent"])),
                fields=("company", "number"),
                name="quote_one_live_version",
            ),
        ),
        migrations.AddConstraint(
            model_name="quote",
            constraint=models.UniqueConstraint(
                condition=models.Q(("subscription__isnull", False)),
                fields=("subscription",),
                name="quote_one_a_subscription",
            ),
        ),
        migrations.AddConstraint(
            model_name="quote",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("content_hash", ""), ("sent_at__isnull", True), ("state", "draft")),
                    models.Q(
                        ("content__isnull", False),
                        ("sent_at__isnull", False),
                        models.Q(("state", "draft"), _negated=True),
                        models.Q(("content_hash", ""), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="quote_sent_has_its_content",
            ),
        ),
        migrations.AddConstraint(
            model_name="quote",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("customer__isnull", False), ("state", "accepted"), ("subscription__isnull", False)),
                    models.Q(models.Q(("state", "accepted"), _negated=True), ("subscription__isnull", True)),
                    _connector="OR",
                ),
                name="quote_accepted_has_its_subscription",
            ),
        ),
        migrations.AddConstraint(
            model_name="quote",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("ended_at__isnull", True), ("state__in", ["draft", "sent"])),
                    models.Q(models.Q(("state__in", ["draft", "sent"]), _negated=True), ("ended_at__isnull", False)),
                    _connector="OR",
                ),
                name="quote_ended_has_its_time",
            ),
        ),
        migrations.AddConstraint(
            model_name="quoteanswer",
            constraint=models.UniqueConstraint(fields=("quote",), name="quote_answered_once"),
        ),
        migrations.AddConstraint(
            model_name="quoteanswer",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind", "accepted"), ("name", ""), _negated=True), name="quote_accepted_by_name"
            ),
        ),
        migrations.AddConstraint(
            model_name="quotediscount",
            constraint=models.UniqueConstraint(fields=("quote", "discount"), name="quote_discount_once"),
        ),
        migrations.AddConstraint(
            model_name="quoteline",
            constraint=models.UniqueConstraint(fields=("quote", "position"), name="quote_line_position_unique"),
        ),
        migrations.AddConstraint(
            model_name="quoteline",
            constraint=models.CheckConstraint(
                condition=models.Q(("quantity__gt", 0)), name="quote_line_quantity_from_zero"
            ),
        ),
        migrations.AddConstraint(
            model_name="quoteline",
            constraint=models.CheckConstraint(
                condition=models.Q(("price__isnull", False), ("unit_amount__isnull", False), _connector="OR"),
                name="quote_line_has_a_price",
            ),
        ),
        *[company_key(f"crm_{table}", column, parent, name=name) for table, column, parent, name in KEYS],
        frozen_but("crm_quote", *MOVES, when="OLD.state <> 'draft'"),
        PARTS_FUNCTION,
        frozen_with_its_quote("crm_quoteline"),
        frozen_with_its_quote("crm_quotediscount"),
        frozen("crm_quoteanswer"),
    ]
