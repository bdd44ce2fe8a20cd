import core.ids
import django.contrib.postgres.indexes
import django.db.models.deletion
from django.db import migrations, models

from core.schema import LOCK_TIMEOUT


class Migration(migrations.Migration):
    dependencies = [
        ("catalog", "0004_engine"),
        ("core", "0005_engine"),
        ("customers", "0004_engine"),
        ("subscriptions", "0006_no_index_twice"),
    ]

    operations = [
        LOCK_TIMEOUT,
        migrations.CreateModel(
            name="AgreedDiscount",
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
                    "percent",
                    models.DecimalField(
                        blank=True,
                        decimal_places=3,
                        help_text="Percent off; or an amount.",
                        max_digits=6,
                        null=True,
                        verbose_name="percent",
                    ),
                ),
                (
                    "amount_minor",
                    models.BigIntegerField(
                        blank=True,
                        help_text="Amount off a period, in minor units; or a percent.",
                        null=True,
                        verbose_name="amount",
                    ),
                ),
                (
                    "currency",
                    models.CharField(
                        blank=True, help_text="Of the amount, ISO 4217.", max_length=3, verbose_name="currency"
                    ),
                ),
                (
                    "duration",
                    models.CharField(
                        choices=[("once", "once"), ("periods", "for a number of periods"), ("forever", "for good")],
                        default="forever",
                        help_text="How long.",
                        max_length=7,
                        verbose_name="duration",
                    ),
                ),
                (
                    "periods",
                    models.PositiveSmallIntegerField(
                        blank=True,
                        help_text="Number of whole periods it is given for.",
                        null=True,
                        verbose_name="periods",
                    ),
                ),
                (
                    "scope",
                    models.CharField(
                        choices=[("everything", "everything"), ("product", "one product"), ("price", "one price")],
                        default="everything",
                        help_text="What it covers.",
                        max_length=10,
                        verbose_name="applies to",
                    ),
                ),
                ("name", models.CharField(help_text="Words on documents, in the customer's language.", max_length=200)),
                ("product_id", models.BigIntegerField(help_text="The product it covers, if only one.", null=True)),
                ("price_id", models.BigIntegerField(help_text="The price it covers, if only one.", null=True)),
                ("from_on", models.DateField(help_text="Periods from this day on take it.")),
                (
                    "until_on",
                    models.DateField(help_text="First day whose periods no longer take it; empty: open.", null=True),
                ),
                (
                    "periods_left",
                    models.PositiveSmallIntegerField(
                        help_text="Whole periods it is still given for; empty: any number.", null=True
                    ),
                ),
                (
                    "left_minor",
                    models.BigIntegerField(
                        help_text="What is left of an amount given once, in minor units; empty: not such an amount.",
                        null=True,
                    ),
                ),
                ("ended_at", models.DateTimeField(help_text="When it was used up or taken back.", null=True)),
                ("created_at", models.DateTimeField(help_text="When it was given, by the company's clock.")),
            ],
            options={
                "verbose_name": "agreed discount",
                "ordering": ("id",),
            },
        ),
        migrations.CreateModel(
            name="Change",
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
                            ("plan", "change of plan"),
                            ("price", "change of price"),
                            ("quantity", "change of quantity"),
                            ("items", "positions added or removed"),
                            ("day", "move of the billing day"),
                            ("version", "move to another price version"),
                            ("pause", "pause"),
                            ("resume", "resumption"),
                            ("suspend", "suspension"),
                            ("reinstate", "end of a suspension"),
                        ],
                        help_text="What it does.",
                        max_length=9,
                    ),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("planned", "planned"),
                            ("done", "done"),
                            ("undone", "taken back"),
                            ("replaced", "replaced"),
                        ],
                        help_text="Where it stands.",
                        max_length=8,
                    ),
                ),
                ("effective_on", models.DateField(help_text="First day of the new terms.")),
                (
                    "proration",
                    models.CharField(
                        choices=[("prorate", "to the day"), ("none", "from the next period")],
                        default="prorate",
                        help_text="How the running period counts.",
                        max_length=7,
                    ),
                ),
                (
                    "values",
                    models.JSONField(
                        default=dict, help_text="Columns of the subscription that take new values on that day, by name."
                    ),
                ),
                (
                    "before",
                    models.JSONField(
                        default=dict, help_text="What stood there on the morning of its day; restores it."
                    ),
                ),
                (
                    "summary",
                    models.JSONField(default=dict, help_text="Figures for people: positions, prices and quantities."),
                ),
                (
                    "reason",
                    models.CharField(blank=True, help_text="Why; required for an act dated back.", max_length=500),
                ),
                ("asked_at", models.DateTimeField(help_text="When it was asked for, by the company's clock.")),
                ("closed_at", models.DateTimeField(help_text="When it was done, taken back or replaced.", null=True)),
            ],
            options={
                "verbose_name": "change",
            },
        ),
        migrations.CreateModel(
            name="OneOff",
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
                    "description",
                    models.CharField(
                        blank=True, help_text="Words on the document; empty: the product's.", max_length=400
                    ),
                ),
                (
                    "quantity",
                    models.DecimalField(decimal_places=6, default=1, help_text="Number of units.", max_digits=20),
                ),
                (
                    "model",
                    models.CharField(
                        choices=[
                            ("flat", "flat"),
                            ("per_unit", "per unit"),
                            ("graduated", "graduated"),
                            ("volume", "volume"),
                            ("package", "package"),
                            ("percentage", "percentage"),
                            ("graduated_percentage", "graduated percentage"),
                        ],
                        help_text="How quantity counts.",
                        max_length=20,
                    ),
                ),
                (
                    "unit_amount",
                    models.DecimalField(decimal_places=10, help_text="Price of one unit, or in all.", max_digits=20),
                ),
                (
                    "details",
                    models.JSONField(blank=True, default=dict, help_text="What the model needs beside the amount."),
                ),
                ("service_on", models.DateField(help_text="Day of the supply; it falls due then.")),
                ("due_on", models.DateField(help_text="Day it falls due; empty: billed or canceled.", null=True)),
                ("line_id", models.BigIntegerField(help_text="Invoice line that bills it.", null=True)),
                (
                    "canceled_at",
                    models.DateTimeField(help_text="When it was canceled before it was billed.", null=True),
                ),
                ("created_at", models.DateTimeField(help_text="When it was agreed, by the company's clock.")),
            ],
            options={
                "verbose_name": "one-off item",
            },
        ),
        migrations.CreateModel(
            name="UsageDay",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("day", models.DateField(help_text="Day in the subscription's zone.")),
                ("event_count", models.BigIntegerField(help_text="Number of events.")),
                ("value_sum", models.DecimalField(decimal_places=10, help_text="Sum of the values.", max_digits=38)),
                ("value_max", models.DecimalField(decimal_places=10, help_text="Highest value.", max_digits=30)),
                ("latest_at", models.DateTimeField(help_text="Time of the latest event.")),
                ("latest_value", models.DecimalField(decimal_places=10, help_text="Its value.", max_digits=30)),
            ],
        ),
        migrations.CreateModel(
            name="UsageEvent",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "event_id",
                    models.CharField(help_text="Id given by the sender; counted once per meter.", max_length=120),
                ),
                ("at", models.DateTimeField(help_text="When it happened.")),
                (
                    "value",
                    models.DecimalField(
                        decimal_places=10,
                        help_text="Quantity, level or amount; 1 where events are counted.",
                        max_digits=30,
                    ),
                ),
                (
                    "key",
                    models.CharField(
                        blank=True, help_text="What is counted once where different values count.", max_length=200
                    ),
                ),
                ("received_at", models.DateTimeField(help_text="When it came in, by the company's clock.")),
            ],
            options={
                "verbose_name": "usage event",
            },
        ),
        migrations.CreateModel(
            name="UsageThreshold",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "quantity",
                    models.DecimalField(decimal_places=6, help_text="Quantity; or a cost.", max_digits=20, null=True),
                ),
                (
                    "cost_minor",
                    models.BigIntegerField(help_text="Cost so far, in minor units; or a quantity.", null=True),
                ),
                ("told_for_on", models.DateField(help_text="Start of the period it was last told for.", null=True)),
            ],
        ),
        migrations.AddField(
            model_name="slot",
            name="interim_minor",
            field=models.BigIntegerField(
                blank=True,
                help_text="Usage is billed at once when it passes this amount; empty: at the close.",
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="slot",
            name="item",
            field=models.ForeignKey(
                blank=True,
                db_constraint=False,
                db_index=False,
                help_text="The plan's position it came from.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="catalog.planitem",
            ),
        ),
        migrations.AddField(
            model_name="slot",
            name="kind",
            field=models.CharField(
                choices=[("recurring", "each period"), ("usage", "by usage")],
                db_default="recurring",
                default="recurring",
                help_text="For each period, or for what was used.",
                max_length=9,
            ),
        ),
        migrations.AddField(
            model_name="slot",
            name="meter",
            field=models.ForeignKey(
                blank=True,
                db_constraint=False,
                help_text="What counts its usage.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="slots",
                to="catalog.meter",
            ),
        ),
        migrations.AddField(
            model_name="slotterms",
            name="anchor_month_day",
            field=models.PositiveSmallIntegerField(
                blank=True,
                help_text="Day of the month that its boundaries aim at; empty: the subscription's.",
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="slotterms",
            name="anchor_on",
            field=models.DateField(
                blank=True, help_text="Boundary number zero of its periods; empty: the subscription's.", null=True
            ),
        ),
        migrations.AddField(
            model_name="slotterms",
            name="details",
            field=models.JSONField(
                blank=True,
                db_default=models.Value({}, models.JSONField()),
                default=dict,
                help_text="What the model needs beside the amount: tiers, package size, rate, fee, free units and the like.",
            ),
        ),
        migrations.AddField(
            model_name="slotterms",
            name="minimum_amount",
            field=models.DecimalField(
                blank=True,
                decimal_places=10,
                help_text="Least charge per period; what is missing is charged at its end.",
                max_digits=20,
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="slotterms",
            name="settles",
            field=models.CharField(
                blank=True,
                choices=[("", "nothing"), ("rebill", "gives back and bills anew"), ("add", "bills what is added")],
                db_default="",
                default="",
                help_text="What becomes, on the first day, of days billed under the terms before; empty once it is done.",
                max_length=6,
            ),
        ),
        migrations.AddField(
            model_name="slotterms",
            name="standing",
            field=models.CharField(
                choices=[
                    ("agreed", "agreed"),
                    ("free", "free"),
                    ("paused", "paused"),
                    ("suspended", "suspended"),
                    ("removed", "removed"),
                ],
                db_default="agreed",
                default="agreed",
                help_text="Only agreed days are charged.",
                max_length=9,
            ),
        ),
        migrations.AddField(
            model_name="subscription",
            name="minimum_amount",
            field=models.DecimalField(
                blank=True,
                decimal_places=10,
                help_text="Least charge per cycle over all positions; empty: none.",
                max_digits=20,
                null=True,
                verbose_name="minimum",
            ),
        ),
        migrations.AddField(
            model_name="subscription",
            name="paused_from_on",
            field=models.DateField(
                blank=True,
                help_text="First day of the running or next pause; empty: none.",
                null=True,
                verbose_name="paused from",
            ),
        ),
        migrations.AddField(
            model_name="subscription",
            name="resumes_on",
            field=models.DateField(
                blank=True,
                help_text="First day after the pause; empty: not planned.",
                null=True,
                verbose_name="resumes on",
            ),
        ),
        migrations.AddField(
            model_name="subscription",
            name="suspended_billing",
            field=models.CharField(
                choices=[("stop", "nothing new"), ("credit", "given back, as in a pause"), ("continue", "everything")],
                db_default="stop",
                default="stop",
                help_text="What is billed while service stops for non-payment.",
                max_length=8,
                verbose_name="billing while suspended",
            ),
        ),
        migrations.AddField(
            model_name="subscription",
            name="suspended_from_on",
            field=models.DateField(
                blank=True, help_text="First day without service for non-payment; empty: in service.", null=True
            ),
        ),
        migrations.AddField(
            model_name="subscription",
            name="trial_usage",
            field=models.CharField(
                choices=[("free", "free"), ("billed", "billed when the trial ends")],
                db_default="free",
                default="free",
                help_text="What becomes of usage before the first paid day.",
                max_length=6,
            ),
        ),
        migrations.AlterField(
            model_name="slotterms",
            name="model",
            field=models.CharField(
                choices=[
                    ("flat", "flat"),
                    ("per_unit", "per unit"),
                    ("graduated", "graduated"),
                    ("volume", "volume"),
                    ("package", "package"),
                    ("percentage", "percentage"),
                    ("graduated_percentage", "graduated percentage"),
                ],
                help_text="How quantity counts.",
                max_length=20,
            ),
        ),
        migrations.AddConstraint(
            model_name="subscription",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("resumes_on__isnull", True),
                    models.Q(("paused_from_on__isnull", False), ("resumes_on__gt", models.F("paused_from_on"))),
                    _connector="OR",
                ),
                name="subscription_resumes_after_its_pause",
            ),
        ),
        migrations.AddConstraint(
            model_name="subscription",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("minimum_amount__isnull", True),
                    models.Q(("minimum_amount__gte", 0), ("minimum_amount__lt", 100000000000000)),
                    _connector="OR",
                ),
                name="subscription_minimum_is_a_number_from_zero",
            ),
        ),
        migrations.AddField(
            model_name="agreeddiscount",
            name="code",
            field=models.ForeignKey(
                db_constraint=False,
                help_text="Code entered.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="agreed",
                to="catalog.offercode",
            ),
        ),
        migrations.AddField(
            model_name="agreeddiscount",
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
            model_name="agreeddiscount",
            name="discount",
            field=models.ForeignKey(
                db_constraint=False,
                help_text="Its template.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="agreed",
                to="catalog.discount",
            ),
        ),
        migrations.AddField(
            model_name="agreeddiscount",
            name="subscription",
            field=models.ForeignKey(
                db_constraint=False,
                help_text="Whose charges.",
                on_delete=django.db.models.deletion.PROTECT,
                related_name="discounts",
                to="subscriptions.subscription",
            ),
        ),
        migrations.AddField(
            model_name="change",
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
            model_name="change",
            name="plan",
            field=models.ForeignKey(
                db_constraint=False,
                help_text="The new plan, if any.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="catalog.plan",
            ),
        ),
        migrations.AddField(
            model_name="change",
            name="subscription",
            field=models.ForeignKey(
                db_constraint=False,
                help_text="What changes.",
                on_delete=django.db.models.deletion.PROTECT,
                related_name="changes",
                to="subscriptions.subscription",
            ),
        ),
        migrations.AddField(
            model_name="oneoff",
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
            model_name="oneoff",
            name="price",
            field=models.ForeignKey(
                blank=True,
                db_constraint=False,
                help_text="Price sold.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="catalog.price",
            ),
        ),
        migrations.AddField(
            model_name="oneoff",
            name="product",
            field=models.ForeignKey(
                db_constraint=False,
                help_text="What is supplied.",
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="catalog.product",
            ),
        ),
        migrations.AddField(
            model_name="oneoff",
            name="subscription",
            field=models.ForeignKey(
                db_constraint=False,
                help_text="On whose invoice.",
                on_delete=django.db.models.deletion.PROTECT,
                related_name="one_offs",
                to="subscriptions.subscription",
            ),
        ),
        migrations.AddField(
            model_name="usageday",
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
            model_name="usageday",
            name="meter",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                help_text="What counts.",
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="catalog.meter",
            ),
        ),
        migrations.AddField(
            model_name="usageday",
            name="subscription",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                help_text="Whose usage.",
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="subscriptions.subscription",
            ),
        ),
        migrations.AddField(
            model_name="usageevent",
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
            model_name="usageevent",
            name="meter",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                help_text="What counts it.",
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="catalog.meter",
            ),
        ),
        migrations.AddField(
            model_name="usageevent",
            name="subscription",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                help_text="Whose usage.",
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="subscriptions.subscription",
            ),
        ),
        migrations.AddField(
            model_name="usagethreshold",
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
            model_name="usagethreshold",
            name="slot",
            field=models.ForeignKey(
                db_constraint=False,
                help_text="Whose usage.",
                on_delete=django.db.models.deletion.PROTECT,
                related_name="thresholds",
                to="subscriptions.slot",
            ),
        ),
        migrations.AddIndex(
            model_name="agreeddiscount",
            index=models.Index(
                condition=models.Q(("ended_at__isnull", True)),
                fields=["subscription", "id"],
                name="agreed_discount_live",
            ),
        ),
        migrations.AddConstraint(
            model_name="agreeddiscount",
            constraint=models.UniqueConstraint(fields=("company", "id"), name="agreed_discount_company_key"),
        ),
        migrations.AddConstraint(
            model_name="agreeddiscount",
            constraint=models.CheckConstraint(
                condition=models.Q(("left_minor__isnull", True), ("left_minor__gte", 0), _connector="OR"),
                name="agreed_discount_not_overdrawn",
            ),
        ),
        migrations.AddIndex(
            model_name="change",
            index=models.Index(fields=["subscription", "-id"], name="change_by_subscription"),
        ),
        migrations.AddConstraint(
            model_name="change",
            constraint=models.UniqueConstraint(fields=("company", "id"), name="change_company_key"),
        ),
        migrations.AddConstraint(
            model_name="change",
            constraint=models.UniqueConstraint(
                condition=models.Q(("status", "planned")),
                fields=("subscription", "effective_on"),
                name="change_one_planned_per_day",
            ),
        ),
        migrations.AddIndex(
            model_name="oneoff",
            index=models.Index(
                condition=models.Q(("due_on__isnull", False)), fields=["subscription"], name="one_off_due"
            ),
        ),
        migrations.AddConstraint(
            model_name="oneoff",
            constraint=models.UniqueConstraint(fields=("company", "id"), name="one_off_company_key"),
        ),
        migrations.AddConstraint(
            model_name="oneoff",
            constraint=models.UniqueConstraint(fields=("line_id",), name="one_off_line_unique"),
        ),
        migrations.AddConstraint(
            model_name="oneoff",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("quantity__gte", 0),
                    ("quantity__lt", 100000000000000),
                    ("unit_amount__gte", 0),
                    ("unit_amount__lt", 10000000000),
                ),
                name="one_off_amounts_are_numbers_from_zero",
            ),
        ),
        migrations.AddConstraint(
            model_name="oneoff",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("due_on__isnull", True),
                    models.Q(("canceled_at__isnull", True), ("line_id__isnull", True)),
                    _connector="OR",
                ),
                name="one_off_due_until_billed",
            ),
        ),
        migrations.AddConstraint(
            model_name="usageday",
            constraint=models.UniqueConstraint(fields=("subscription", "meter", "day"), name="usage_day_unique"),
        ),
        migrations.AddIndex(
            model_name="usageevent",
            index=models.Index(fields=["subscription", "meter", "at"], name="usage_event_by_subscription"),
        ),
        migrations.AddIndex(
            model_name="usageevent",
            index=django.contrib.postgres.indexes.BrinIndex(fields=["received_at"], name="usage_event_by_time"),
        ),
        migrations.AddConstraint(
            model_name="usageevent",
            constraint=models.UniqueConstraint(fields=("meter", "event_id"), name="usage_event_unique"),
        ),
        migrations.AddConstraint(
            model_name="usagethreshold",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("cost_minor__isnull", True), ("quantity__isnull", False)),
                    models.Q(("cost_minor__isnull", False), ("quantity__isnull", True)),
                    _connector="OR",
                ),
                name="usage_threshold_quantity_or_cost",
            ),
        ),
    ]
