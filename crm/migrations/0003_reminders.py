"""Reminder rules, offers and reminders, each in its company; what was said of an occasion stays as it was said."""

import core.ids
import django.contrib.postgres.fields
import django.core.validators
import django.db.models.deletion
from django.db import migrations, models

from core.schema import LOCK_TIMEOUT, company_key, frozen_but


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0026_bank_line_by_iban"),
        ("catalog", "0008_a_discount_is_something"),
        ("core", "0008_collecting"),
        ("crm", "0002_guards"),
        ("customers", "0009_mail_states"),
        ("subscriptions", "0017_renewal_notices"),
    ]

    operations = [
        LOCK_TIMEOUT,
        migrations.CreateModel(
            name="Offer",
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
                    "words",
                    models.JSONField(
                        blank=True,
                        default=dict,
                        help_text="What is offered, by language, as the customer reads it.",
                        verbose_name="words",
                    ),
                ),
                (
                    "valid_days",
                    models.PositiveSmallIntegerField(
                        default=30,
                        help_text="Days from the reminder on which it can be taken.",
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(365),
                        ],
                        verbose_name="valid for",
                    ),
                ),
                (
                    "customer_limit",
                    models.PositiveSmallIntegerField(
                        default=1,
                        help_text="How often one customer can take it.",
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(100),
                        ],
                        verbose_name="times per customer",
                    ),
                ),
                ("created_at", models.DateTimeField(help_text="When it was made, by the company's clock.")),
                (
                    "archived_at",
                    models.DateTimeField(blank=True, help_text="No longer made or taken since.", null=True),
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
                    "discount",
                    models.ForeignKey(
                        db_constraint=False,
                        help_text="What is given: percent or amount, for so many periods.",
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="catalog.discount",
                        verbose_name="discount",
                    ),
                ),
            ],
            options={
                "verbose_name": "offer",
                "ordering": ("name", "id"),
            },
        ),
        migrations.CreateModel(
            name="ReminderRule",
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
                    "occasion",
                    models.CharField(
                        choices=[
                            ("before_renewal", "before a renewal"),
                            ("before_notice_deadline", "before the last day to cancel"),
                            ("before_trial_end", "before a trial ends"),
                            ("before_price_change", "before a price changes"),
                            ("card_expiring", "before a card expires"),
                            ("mandate_expiring", "before a mandate lapses"),
                            ("payment_due", "before a payment is due"),
                            ("payment_failed", "after a payment failed"),
                            ("after_payment", "after a payment"),
                            ("win_back", "after the end, to win back"),
                        ],
                        help_text="What is reminded of.",
                        max_length=24,
                        verbose_name="occasion",
                    ),
                ),
                (
                    "days",
                    models.PositiveSmallIntegerField(
                        default=30,
                        help_text="Days before the occasion, or after one that is over.",
                        validators=[django.core.validators.MaxValueValidator(400)],
                        verbose_name="days",
                    ),
                ),
                (
                    "late_days",
                    models.PositiveSmallIntegerField(
                        default=7,
                        help_text="A missed reminder is sent so many days late at most, and never after its occasion.",
                        validators=[django.core.validators.MaxValueValidator(60)],
                        verbose_name="at most late",
                    ),
                ),
                (
                    "category",
                    models.CharField(
                        choices=[("contract", "about the contract"), ("marketing", "advertising, with consent")],
                        default="contract",
                        help_text="Advertising needs the customer's consent and carries a link to unsubscribe.",
                        max_length=9,
                        verbose_name="kind of mail",
                    ),
                ),
                (
                    "channel",
                    models.CharField(
                        choices=[("mail", "mail"), ("portal", "banner in the portal"), ("both", "mail and banner")],
                        default="mail",
                        help_text="How it is told.",
                        max_length=6,
                        verbose_name="channel",
                    ),
                ),
                (
                    "text",
                    models.CharField(help_text="Which mail text it uses.", max_length=60, verbose_name="mail text"),
                ),
                (
                    "subject",
                    models.JSONField(
                        blank=True,
                        default=dict,
                        help_text="Own subject by language; empty: the mail text's.",
                        verbose_name="own subject",
                    ),
                ),
                (
                    "body",
                    models.JSONField(
                        blank=True,
                        default=dict,
                        help_text="Own words by language; empty: the mail text's.",
                        verbose_name="own text",
                    ),
                ),
                (
                    "customer_kind",
                    models.CharField(
                        blank=True,
                        choices=[("company", "company"), ("person", "person")],
                        help_text="Empty: all.",
                        max_length=7,
                        verbose_name="customers",
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
                        help_text="Empty: every language.",
                        max_length=5,
                        verbose_name="language",
                    ),
                ),
                (
                    "countries",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=2),
                        blank=True,
                        default=list,
                        help_text="ISO 3166 codes of billing addresses; empty: everywhere.",
                        size=None,
                        verbose_name="countries",
                    ),
                ),
                (
                    "plan_ids",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.BigIntegerField(),
                        blank=True,
                        default=list,
                        help_text="Only for these plans; empty: all.",
                        size=None,
                    ),
                ),
                (
                    "product_ids",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.BigIntegerField(),
                        blank=True,
                        default=list,
                        help_text="Only with one of these products; empty: all.",
                        size=None,
                    ),
                ),
                (
                    "cycle_unit",
                    models.CharField(
                        blank=True,
                        choices=[("day", "day"), ("week", "week"), ("month", "month"), ("year", "year")],
                        help_text="Empty: every cycle.",
                        max_length=5,
                        verbose_name="billing cycle",
                    ),
                ),
                (
                    "shortest_term_months",
                    models.PositiveSmallIntegerField(
                        default=0,
                        help_text="Only terms of so many months or longer; 0: every term.",
                        verbose_name="shortest term",
                    ),
                ),
                (
                    "minimum_minor",
                    models.BigIntegerField(
                        default=0,
                        help_text="Monthly revenue, or the open amount, of at least this, in minor units.",
                        verbose_name="smallest amount",
                    ),
                ),
                (
                    "only_stale_method",
                    models.BooleanField(
                        default=False,
                        help_text="Only where there is no usable payment method, or it ends before the occasion.",
                        verbose_name="payment details are stale",
                    ),
                ),
                (
                    "is_active",
                    models.BooleanField(
                        default=True, help_text="Switched off, it reminds nobody.", verbose_name="active"
                    ),
                ),
                ("created_at", models.DateTimeField(help_text="When it was made, by the company's clock.")),
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
                    "offer",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        help_text="What is offered with it; then it is advertising.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="rules",
                        to="crm.offer",
                        verbose_name="offer",
                    ),
                ),
            ],
            options={
                "verbose_name": "reminder rule",
                "ordering": ("occasion", "-days", "id"),
            },
        ),
        migrations.CreateModel(
            name="Reminder",
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
                    "subject_id",
                    models.BigIntegerField(help_text="Id of what it is about: that subscription, invoice or method."),
                ),
                ("occasion_on", models.DateField(help_text="Day of the occasion.")),
                ("offer_until_on", models.DateField(help_text="Last day to take the offer.", null=True)),
                ("sent_at", models.DateTimeField(help_text="When it was made, by the company's clock.")),
                ("opened_at", models.DateTimeField(help_text="When its link was first opened.", null=True)),
                ("accepted_at", models.DateTimeField(help_text="When the offer was taken.", null=True)),
                ("taken_back_at", models.DateTimeField(help_text="When staff took the discount back.", null=True)),
                (
                    "renewed_at",
                    models.DateTimeField(
                        help_text="When the term was seen to have renewed, the trial to be paid, the customer to be back.",
                        null=True,
                    ),
                ),
                ("canceled_at", models.DateTimeField(help_text="When it was seen to end instead.", null=True)),
                (
                    "agreed",
                    models.ForeignKey(
                        db_constraint=False,
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
                        help_text="Who was reminded.",
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="reminders",
                        to="customers.customer",
                    ),
                ),
                (
                    "invoice",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        help_text="About which invoice.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="billing.invoice",
                    ),
                ),
                (
                    "message",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        help_text="The mail as it was sent; empty: shown in the portal alone.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="customers.message",
                    ),
                ),
                (
                    "method",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        help_text="About which payment method.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="billing.paymentmethod",
                    ),
                ),
                (
                    "offer",
                    models.ForeignKey(
                        db_constraint=False,
                        help_text="What was offered.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="reminders",
                        to="crm.offer",
                    ),
                ),
                (
                    "subscription",
                    models.ForeignKey(
                        db_constraint=False,
                        help_text="About which subscription.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="reminders",
                        to="subscriptions.subscription",
                    ),
                ),
                (
                    "rule",
                    models.ForeignKey(
                        db_constraint=False,
                        help_text="By which rule.",
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="reminders",
                        to="crm.reminderrule",
                    ),
                ),
            ],
            options={
                "verbose_name": "reminder",
            },
        ),
        migrations.AddIndex(
            model_name="offer",
            index=models.Index(fields=["company", "-id"], name="offer_by_age"),
        ),
        migrations.AddConstraint(
            model_name="offer",
            constraint=models.UniqueConstraint(fields=("company", "id"), name="offer_company_key"),
        ),
        migrations.AddConstraint(
            model_name="offer",
            constraint=models.CheckConstraint(
                condition=models.Q(("customer_limit__range", (1, 100)), ("valid_days__range", (1, 365))),
                name="offer_limits_in_range",
            ),
        ),
        migrations.AddIndex(
            model_name="reminderrule",
            index=models.Index(fields=["company", "-id"], name="reminder_rule_by_age"),
        ),
        migrations.AddConstraint(
            model_name="reminderrule",
            constraint=models.UniqueConstraint(fields=("company", "id"), name="reminder_rule_company_key"),
        ),
        migrations.AddConstraint(
            model_name="reminderrule",
            constraint=models.CheckConstraint(
                condition=models.Q(("offer__isnull", True), ("category", "marketing"), _connector="OR"),
                name="reminder_rule_offers_are_advertising",
            ),
        ),
        migrations.AddConstraint(
            model_name="reminderrule",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("occasion", "win_back"), _negated=True), ("category", "marketing"), _connector="OR"
                ),
                name="reminder_rule_win_back_advertises",
            ),
        ),
        migrations.AddConstraint(
            model_name="reminderrule",
            constraint=models.CheckConstraint(
                condition=models.Q(("days__lte", 400), ("late_days__lte", 60), ("minimum_minor__gte", 0)),
                name="reminder_rule_days_in_range",
            ),
        ),
        migrations.AddIndex(
            model_name="reminder",
            index=models.Index(fields=["company", "-id"], name="reminder_by_age"),
        ),
        migrations.AddIndex(
            model_name="reminder",
            index=models.Index(fields=["company", "customer", "-id"], name="reminder_by_customer"),
        ),
        migrations.AddIndex(
            model_name="reminder",
            index=models.Index(
                condition=models.Q(
                    ("canceled_at__isnull", True), ("renewed_at__isnull", True), ("subscription__isnull", False)
                ),
                fields=["company", "occasion_on"],
                name="reminder_outcome_open",
            ),
        ),
        migrations.AddConstraint(
            model_name="reminder",
            constraint=models.UniqueConstraint(fields=("company", "id"), name="reminder_company_key"),
        ),
        migrations.AddConstraint(
            model_name="reminder",
            constraint=models.UniqueConstraint(
                fields=("rule", "subject_id", "occasion_on"), name="reminder_once_per_occasion"
            ),
        ),
        migrations.AddConstraint(
            model_name="reminder",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("accepted_at__isnull", True), ("agreed__isnull", True)),
                    models.Q(("accepted_at__isnull", False), ("agreed__isnull", False), ("offer__isnull", False)),
                    _connector="OR",
                ),
                name="reminder_accepted_has_its_discount",
            ),
        ),
        migrations.AddConstraint(
            model_name="reminder",
            constraint=models.CheckConstraint(
                condition=models.Q(("renewed_at__isnull", True), ("canceled_at__isnull", True), _connector="OR"),
                name="reminder_one_outcome",
            ),
        ),
        company_key("crm_offer", "discount_id", "catalog_discount", name="offer_discount_same_company"),
        company_key("crm_reminderrule", "offer_id", "crm_offer", name="reminder_rule_offer_same_company"),
        company_key("crm_reminder", "rule_id", "crm_reminderrule", name="reminder_rule_same_company"),
        company_key("crm_reminder", "customer_id", "customers_customer", name="reminder_customer_same_company"),
        company_key(
            "crm_reminder", "subscription_id", "subscriptions_subscription", name="reminder_subscription_same_company"
        ),
        company_key("crm_reminder", "invoice_id", "billing_invoice", name="reminder_invoice_same_company"),
        company_key("crm_reminder", "method_id", "billing_paymentmethod", name="reminder_method_same_company"),
        company_key("crm_reminder", "offer_id", "crm_offer", name="reminder_offer_same_company"),
        company_key("crm_reminder", "agreed_id", "subscriptions_agreeddiscount", name="reminder_agreed_same_company"),
        company_key("crm_reminder", "message_id", "customers_message", name="reminder_message_same_company"),
        frozen_but(
            "crm_reminder", "opened_at", "accepted_at", "agreed_id", "taken_back_at", "renewed_at", "canceled_at"
        ),
    ]
