"""Activities with their people and files; when tasks remind; links to calendars."""

import core.ids
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from core.schema import LOCK_TIMEOUT, company_key

CUSTOMER, LEAD, ACTIVITY = "customers_customer", "crm_lead", "crm_activity"
KEYS = [
    ("activity", "customer_id", CUSTOMER, "activity_customer_same_company"),
    ("activity", "lead_id", LEAD, "activity_lead_same_company"),
    ("activity", "contact_id", "customers_contact", "activity_contact_same_company"),
    ("activity", "next_step_id", "crm_task", "activity_next_step_same_company"),
    ("activityperson", "activity_id", ACTIVITY, "activity_person_activity_same_company"),
    ("activityfile", "activity_id", ACTIVITY, "activity_file_activity_same_company"),
]


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0027_seal_files"),
        ("core", "0017_webhook_log"),
        ("crm", "0006_ties"),
        ("customers", "0012_contact_company_key"),
        ("subscriptions", "0019_first_touch"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        LOCK_TIMEOUT,
        migrations.CreateModel(
            name="Activity",
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
                            ("call", "call"),
                            ("meeting", "meeting"),
                            ("visit", "visit"),
                            ("mail_in", "mail received"),
                            ("mail_out", "mail sent from elsewhere"),
                        ],
                        help_text="What it was.",
                        max_length=8,
                        verbose_name="kind",
                    ),
                ),
                (
                    "direction",
                    models.CharField(
                        blank=True,
                        choices=[("in", "from them"), ("out", "from us")],
                        help_text="Of calls and mails: from whom it came.",
                        max_length=3,
                        verbose_name="who began",
                    ),
                ),
                (
                    "subject",
                    models.CharField(
                        help_text="What it is about, in a few words.", max_length=200, verbose_name="subject"
                    ),
                ),
                (
                    "text",
                    models.TextField(
                        blank=True,
                        help_text="What was said; of a mail, its text.",
                        max_length=50000,
                        verbose_name="text",
                    ),
                ),
                (
                    "begins_at",
                    models.DateTimeField(
                        help_text="When it begins or began; of a mail, when it was sent.", verbose_name="begins"
                    ),
                ),
                (
                    "ends_at",
                    models.DateTimeField(
                        blank=True, help_text="When it ends; empty: not known.", null=True, verbose_name="ends"
                    ),
                ),
                (
                    "place",
                    models.CharField(
                        blank=True, help_text="Where, such as a room or a link.", max_length=300, verbose_name="place"
                    ),
                ),
                (
                    "outcome",
                    models.CharField(blank=True, help_text="What came of it.", max_length=1000, verbose_name="outcome"),
                ),
                (
                    "message_key",
                    models.CharField(
                        blank=True,
                        help_text="Hash of the mail's Message-ID, so that no mail is kept twice.",
                        max_length=64,
                    ),
                ),
                (
                    "mail_from",
                    models.CharField(blank=True, help_text="Sender of the mail, as it says.", max_length=300),
                ),
                (
                    "mail_to",
                    models.CharField(blank=True, help_text="Recipients of the mail, as it says.", max_length=1000),
                ),
                (
                    "remind_at",
                    models.DateTimeField(
                        blank=True,
                        help_text="When its people get a mail about it; empty: never.",
                        null=True,
                        verbose_name="remind",
                    ),
                ),
                ("reminded_at", models.DateTimeField(help_text="When that mail was written.", null=True)),
                ("created_at", models.DateTimeField(help_text="When it was written down, by the company's clock.")),
                ("created_by", models.CharField(help_text="Who or what wrote it down.", max_length=120)),
                ("changed_at", models.DateTimeField(help_text="When it was corrected last.", null=True)),
                ("archived_at", models.DateTimeField(help_text="Out of sight since.", null=True)),
            ],
            options={
                "verbose_name": "activity",
            },
        ),
        migrations.CreateModel(
            name="ActivityFile",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("position", models.PositiveSmallIntegerField(help_text="In the mail's order, from 1.")),
            ],
        ),
        migrations.CreateModel(
            name="ActivityPerson",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
            ],
        ),
        migrations.CreateModel(
            name="CalendarLink",
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
                ("token_hash", models.CharField(help_text="SHA-256 of the link's token.", max_length=64, unique=True)),
                (
                    "has_terms",
                    models.BooleanField(
                        default=False,
                        help_text="Of the customers that this person owns.",
                        verbose_name="renewals and ends of contracts",
                    ),
                ),
                ("created_at", models.DateTimeField(help_text="When it was made, by the company's clock.")),
                ("revoked_at", models.DateTimeField(help_text="When it was switched off.", null=True)),
            ],
            options={
                "verbose_name": "calendar link",
            },
        ),
        migrations.AddField(
            model_name="task",
            name="remind_at",
            field=models.DateTimeField(
                blank=True,
                help_text="When its owner gets a mail about it; empty: never.",
                null=True,
                verbose_name="remind",
            ),
        ),
        migrations.AddField(
            model_name="task",
            name="reminded_at",
            field=models.DateTimeField(help_text="When that mail was written.", null=True),
        ),
        migrations.AddIndex(
            model_name="task",
            index=models.Index(
                condition=models.Q(("remind_at__isnull", False), ("reminded_at__isnull", True), ("state", "open")),
                fields=["company", "remind_at"],
                name="task_to_remind",
            ),
        ),
        migrations.AddField(
            model_name="activity",
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
            model_name="activity",
            name="contact",
            field=models.ForeignKey(
                blank=True,
                db_constraint=False,
                help_text="With whom there.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="activities",
                to="customers.contact",
                verbose_name="contact",
            ),
        ),
        migrations.AddField(
            model_name="activity",
            name="customer",
            field=models.ForeignKey(
                blank=True,
                db_constraint=False,
                help_text="With which customer.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="activities",
                to="customers.customer",
                verbose_name="customer",
            ),
        ),
        migrations.AddField(
            model_name="activity",
            name="lead",
            field=models.ForeignKey(
                blank=True,
                db_constraint=False,
                help_text="With which lead.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="activities",
                to="crm.lead",
                verbose_name="lead",
            ),
        ),
        migrations.AddField(
            model_name="activity",
            name="next_step",
            field=models.ForeignKey(
                blank=True,
                db_constraint=False,
                help_text="The task that came of it.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="activities",
                to="crm.task",
                verbose_name="next step",
            ),
        ),
        migrations.AddField(
            model_name="activity",
            name="owner",
            field=models.ForeignKey(
                blank=True,
                help_text="Whose it is: who is reminded and sees it in the calendar.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
                verbose_name="owner",
            ),
        ),
        migrations.AddField(
            model_name="activityfile",
            name="activity",
            field=models.ForeignKey(
                db_constraint=False,
                help_text="To which mail.",
                on_delete=django.db.models.deletion.PROTECT,
                related_name="files",
                to="crm.activity",
            ),
        ),
        migrations.AddField(
            model_name="activityfile",
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
            model_name="activityfile",
            name="file",
            field=models.ForeignKey(
                help_text="The bytes.",
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="core.storedfile",
            ),
        ),
        migrations.AddField(
            model_name="activityperson",
            name="activity",
            field=models.ForeignKey(
                db_constraint=False,
                help_text="In what.",
                on_delete=django.db.models.deletion.PROTECT,
                related_name="parts",
                to="crm.activity",
            ),
        ),
        migrations.AddField(
            model_name="activityperson",
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
            model_name="activityperson",
            name="user",
            field=models.ForeignKey(
                help_text="Who.",
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="activity",
            name="people",
            field=models.ManyToManyField(
                help_text="Who else of us takes part.",
                related_name="+",
                through="crm.ActivityPerson",
                to=settings.AUTH_USER_MODEL,
                verbose_name="colleagues",
            ),
        ),
        migrations.AddField(
            model_name="calendarlink",
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
            model_name="calendarlink",
            name="user",
            field=models.ForeignKey(
                help_text="Whose calendar.",
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddConstraint(
            model_name="activityfile",
            constraint=models.UniqueConstraint(fields=("activity", "position"), name="activity_file_position_unique"),
        ),
        migrations.AddConstraint(
            model_name="activityperson",
            constraint=models.UniqueConstraint(fields=("activity", "user"), name="activity_person_once"),
        ),
        migrations.AddIndex(
            model_name="activity",
            index=models.Index(fields=["company", "-begins_at", "-id"], name="activity_newest"),
        ),
        migrations.AddIndex(
            model_name="activity",
            index=models.Index(
                condition=models.Q(("customer__isnull", False)),
                fields=["company", "customer", "-begins_at", "-id"],
                name="activity_by_customer",
            ),
        ),
        migrations.AddIndex(
            model_name="activity",
            index=models.Index(
                condition=models.Q(("lead__isnull", False)),
                fields=["lead", "-begins_at", "-id"],
                name="activity_by_lead",
            ),
        ),
        migrations.AddIndex(
            model_name="activity",
            index=models.Index(
                condition=models.Q(
                    ("archived_at__isnull", True), ("remind_at__isnull", False), ("reminded_at__isnull", True)
                ),
                fields=["company", "remind_at"],
                name="activity_to_remind",
            ),
        ),
        migrations.AddConstraint(
            model_name="activity",
            constraint=models.UniqueConstraint(fields=("company", "id"), name="activity_company_key"),
        ),
        migrations.AddConstraint(
            model_name="activity",
            constraint=models.UniqueConstraint(
                condition=models.Q(("message_key", ""), _negated=True),
                fields=("company", "message_key"),
                name="activity_mail_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="activity",
            constraint=models.CheckConstraint(
                condition=models.Q(("customer__isnull", False), ("lead__isnull", False), _connector="OR"),
                name="activity_is_with_somebody",
            ),
        ),
        migrations.AddConstraint(
            model_name="activity",
            constraint=models.CheckConstraint(
                condition=models.Q(("ends_at__isnull", True), ("ends_at__gte", models.F("begins_at")), _connector="OR"),
                name="activity_ends_after_it_began",
            ),
        ),
        migrations.AddConstraint(
            model_name="calendarlink",
            constraint=models.UniqueConstraint(
                condition=models.Q(("revoked_at__isnull", True)),
                fields=("company", "user"),
                name="calendar_link_one_at_a_time",
            ),
        ),
        *[company_key(f"crm_{table}", column, parent, name=name) for table, column, parent, name in KEYS],
    ]
