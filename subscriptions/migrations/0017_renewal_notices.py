"""Notices of renewal by law, the right that follows a missed one, and indexes that find who is to be reminded."""

import core.ids
import django.db.models.deletion
from django.db import migrations, models

from core.schema import LOCK_TIMEOUT, company_key, frozen_but


class Migration(migrations.Migration):
    dependencies = [
        ("catalog", "0008_a_discount_is_something"),
        ("core", "0008_collecting"),
        ("customers", "0009_mail_states"),
        ("subscriptions", "0016_one_off_charges"),
    ]

    operations = [
        LOCK_TIMEOUT,
        migrations.CreateModel(
            name="RenewalNotice",
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
                ("term_ends_on", models.DateField(help_text="Last day of the term that would renew.")),
                ("cancel_by_on", models.DateField(help_text="Last day to say that it shall not renew.")),
                ("law", models.CharField(help_text="Which rule of the law, by its short name.", max_length=20)),
                ("due_from_on", models.DateField(help_text="First day on which the notice may be sent.")),
                ("due_until_on", models.DateField(help_text="Last day on which it may be sent.")),
                (
                    "effect",
                    models.CharField(
                        choices=[
                            ("none", "none that frees the customer"),
                            ("leave_any_time", "may leave any time"),
                            ("leave_until_next_end", "may leave any time until the next end of the term"),
                        ],
                        help_text="What follows when it is missed.",
                        max_length=20,
                    ),
                ),
                (
                    "refund_days",
                    models.PositiveSmallIntegerField(
                        help_text="Days within which money paid ahead goes back to who leaves freely; empty: no rule.",
                        null=True,
                    ),
                ),
                (
                    "body_hash",
                    models.CharField(blank=True, help_text="SHA-256 of its words, in hexadecimal.", max_length=64),
                ),
                ("sent_at", models.DateTimeField(help_text="When it was written, by the company's clock.", null=True)),
                ("missed_on", models.DateField(help_text="Day on which it was seen to be missed.", null=True)),
            ],
            options={
                "verbose_name": "renewal notice",
            },
        ),
        migrations.AddField(
            model_name="subscription",
            name="leaves_freely_from_on",
            field=models.DateField(
                blank=True,
                help_text="From this day on the customer may leave any time: a notice the law asks for was not sent.",
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="subscription",
            name="leaves_freely_until_on",
            field=models.DateField(blank=True, help_text="Last day of that right; empty: it has no end.", null=True),
        ),
        migrations.AddIndex(
            model_name="change",
            index=models.Index(
                condition=models.Q(("status", "planned")), fields=["company", "effective_on"], name="change_to_come"
            ),
        ),
        migrations.AddIndex(
            model_name="subscription",
            index=models.Index(
                condition=models.Q(("end_kind", ""), ("renewal_rule", "renew"), ("term_ends_on__isnull", False)),
                fields=["company", "term_ends_on"],
                name="subscription_renewing",
            ),
        ),
        migrations.AddIndex(
            model_name="subscription",
            index=models.Index(
                condition=models.Q(("state", "trial")), fields=["company", "paid_from_on"], name="subscription_on_trial"
            ),
        ),
        migrations.AddIndex(
            model_name="subscription",
            index=models.Index(
                condition=models.Q(("state__in", ["canceled", "expired"])),
                fields=["company", "ends_on"],
                name="subscription_over",
            ),
        ),
        migrations.AddField(
            model_name="renewalnotice",
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
            model_name="renewalnotice",
            name="message",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                help_text="The notice as it was sent: words, recipients, time, the mail server's answer.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="customers.message",
            ),
        ),
        migrations.AddField(
            model_name="renewalnotice",
            name="subscription",
            field=models.ForeignKey(
                db_constraint=False,
                help_text="Whose renewal.",
                on_delete=django.db.models.deletion.PROTECT,
                related_name="renewal_notices",
                to="subscriptions.subscription",
            ),
        ),
        migrations.AddIndex(
            model_name="renewalnotice",
            index=models.Index(fields=["company", "-id"], name="renewal_notice_by_age"),
        ),
        migrations.AddIndex(
            model_name="renewalnotice",
            index=models.Index(
                condition=models.Q(("missed_on__isnull", True), ("sent_at__isnull", False)),
                fields=["company", "due_until_on"],
                name="renewal_notice_unproven",
            ),
        ),
        migrations.AddConstraint(
            model_name="renewalnotice",
            constraint=models.UniqueConstraint(fields=("company", "id"), name="renewal_notice_company_key"),
        ),
        migrations.AddConstraint(
            model_name="renewalnotice",
            constraint=models.UniqueConstraint(
                fields=("subscription", "term_ends_on", "law"), name="renewal_notice_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="renewalnotice",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("body_hash", ""), ("message__isnull", True), ("sent_at__isnull", True)),
                    models.Q(
                        ("message__isnull", False),
                        ("sent_at__isnull", False),
                        models.Q(("body_hash", ""), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="renewal_notice_sent_has_its_proof",
            ),
        ),
        migrations.AddConstraint(
            model_name="renewalnotice",
            constraint=models.CheckConstraint(
                condition=models.Q(("sent_at__isnull", False), ("missed_on__isnull", False), _connector="OR"),
                name="renewal_notice_sent_or_missed",
            ),
        ),
        company_key(
            "subscriptions_renewalnotice",
            "subscription_id",
            "subscriptions_subscription",
            name="renewal_notice_subscription_same_company",
        ),
        company_key(
            "subscriptions_renewalnotice",
            "message_id",
            "customers_message",
            name="renewal_notice_message_same_company",
        ),
        frozen_but("subscriptions_renewalnotice", "missed_on"),
    ]
