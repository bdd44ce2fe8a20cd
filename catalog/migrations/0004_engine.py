import core.ids
import django.db.models.deletion
from django.db import migrations, models

from core.schema import LOCK_TIMEOUT


class Migration(migrations.Migration):
    dependencies = [
        ("catalog", "0003_company_alone_has_no_index"),
        ("core", "0005_engine"),
    ]

    operations = [
        LOCK_TIMEOUT,
        migrations.CreateModel(
            name="Campaign",
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
                    "code",
                    models.SlugField(
                        help_text="Short name, unique in the company.", max_length=60, verbose_name="code"
                    ),
                ),
                ("name", models.CharField(help_text="Name shown to staff.", max_length=120, verbose_name="name")),
                ("archived_at", models.DateTimeField(blank=True, help_text="Hidden since.", null=True)),
            ],
            options={
                "verbose_name": "campaign",
                "ordering": ("code",),
            },
        ),
        migrations.CreateModel(
            name="Discount",
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
                (
                    "code",
                    models.SlugField(
                        help_text="Short name, unique in the company.", max_length=60, verbose_name="code"
                    ),
                ),
                ("name", models.JSONField(help_text="Name by language, printed on documents.", verbose_name="name")),
                ("archived_at", models.DateTimeField(blank=True, help_text="Not given anew since.", null=True)),
            ],
            options={
                "verbose_name": "discount",
                "ordering": ("code",),
            },
        ),
        migrations.CreateModel(
            name="Meter",
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
                    "code",
                    models.SlugField(
                        help_text="Short name, unique in the company.", max_length=60, verbose_name="code"
                    ),
                ),
                (
                    "name",
                    models.JSONField(
                        help_text="Name by language; the company's language is required.", verbose_name="name"
                    ),
                ),
                (
                    "aggregation",
                    models.CharField(
                        choices=[
                            ("sum", "sum of the values"),
                            ("count", "number of events"),
                            ("unique_count", "number of different values"),
                            ("max", "highest value"),
                            ("latest", "latest value"),
                            ("weighted_sum", "values weighted by the time they are held"),
                        ],
                        help_text="How events become a quantity.",
                        max_length=12,
                        verbose_name="counts",
                    ),
                ),
                (
                    "unit_name",
                    models.JSONField(
                        blank=True,
                        default=dict,
                        help_text="What one is called, by language, such as call; may be empty.",
                        verbose_name="unit",
                    ),
                ),
                (
                    "late_days",
                    models.PositiveSmallIntegerField(
                        default=90,
                        help_text="Days after the close of a period in which events still count for it.",
                        verbose_name="late events",
                    ),
                ),
                ("archived_at", models.DateTimeField(blank=True, help_text="Takes no new events since.", null=True)),
            ],
            options={
                "verbose_name": "meter",
                "ordering": ("code",),
            },
        ),
        migrations.CreateModel(
            name="OfferCode",
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
                    "code",
                    models.CharField(
                        help_text="What the customer enters; upper case, unique in the company.",
                        max_length=40,
                        verbose_name="code",
                    ),
                ),
                (
                    "valid_from",
                    models.DateField(
                        blank=True, help_text="First day; empty: at once.", null=True, verbose_name="valid from"
                    ),
                ),
                (
                    "valid_until",
                    models.DateField(
                        blank=True, help_text="Last day; empty: for good.", null=True, verbose_name="valid until"
                    ),
                ),
                (
                    "total_limit",
                    models.PositiveIntegerField(
                        blank=True,
                        help_text="How many uses in all; empty: any number.",
                        null=True,
                        verbose_name="limit",
                    ),
                ),
                (
                    "customer_limit",
                    models.PositiveSmallIntegerField(
                        blank=True,
                        help_text="How many uses per customer; empty: any number.",
                        null=True,
                        verbose_name="limit per customer",
                    ),
                ),
                (
                    "first_time_only",
                    models.BooleanField(
                        default=False,
                        help_text="Only before the customer's first subscription.",
                        verbose_name="new customers only",
                    ),
                ),
                ("use_count", models.PositiveIntegerField(default=0, help_text="Uses so far.")),
                ("archived_at", models.DateTimeField(blank=True, help_text="Refused since.", null=True)),
            ],
            options={
                "verbose_name": "offer code",
                "ordering": ("code",),
            },
        ),
        migrations.AddField(
            model_name="plan",
            name="customer_may_change",
            field=models.BooleanField(
                default=False, help_text="Plan and quantity, in the portal.", verbose_name="customers change themselves"
            ),
        ),
        migrations.AddField(
            model_name="plan",
            name="customer_may_pause",
            field=models.BooleanField(
                default=False, help_text="Pause and resume in the portal.", verbose_name="customers pause themselves"
            ),
        ),
        migrations.AddField(
            model_name="plan",
            name="minimum_amounts",
            field=models.JSONField(
                blank=True,
                default=dict,
                help_text="Least charge per cycle for the whole subscription, by currency; empty: none.",
                verbose_name="minimum",
            ),
        ),
        migrations.AddField(
            model_name="plan",
            name="suspended_billing",
            field=models.CharField(
                choices=[("stop", "nothing new"), ("credit", "given back, as in a pause"), ("continue", "everything")],
                default="stop",
                help_text="What is billed while service stops for non-payment.",
                max_length=8,
                verbose_name="billing while suspended",
            ),
        ),
        migrations.AddField(
            model_name="plan",
            name="trial_usage",
            field=models.CharField(
                choices=[("free", "free"), ("billed", "billed when the trial ends")],
                default="free",
                help_text="What becomes of usage before the first paid day.",
                max_length=6,
                verbose_name="usage in the trial",
            ),
        ),
        migrations.AddField(
            model_name="planitem",
            name="is_optional",
            field=models.BooleanField(
                db_default=False,
                default=False,
                help_text="Only part of a subscription when chosen.",
                verbose_name="add-on",
            ),
        ),
        migrations.AddField(
            model_name="planitem",
            name="kind",
            field=models.CharField(
                choices=[("recurring", "each period"), ("usage", "by usage"), ("one_off", "once")],
                db_default="recurring",
                default="recurring",
                help_text="For each period, for what was used, or once.",
                max_length=9,
                verbose_name="charged",
            ),
        ),
        migrations.AddField(
            model_name="price",
            name="details",
            field=models.JSONField(
                blank=True,
                db_default=models.Value({}, models.JSONField()),
                default=dict,
                help_text="What the model needs beside the amount: tiers, package size, rate, fee, free units and the like.",
                verbose_name="details",
            ),
        ),
        migrations.AddField(
            model_name="price",
            name="minimum_amount",
            field=models.DecimalField(
                blank=True,
                decimal_places=10,
                help_text="Least charge per period; what is missing is charged at its end.",
                max_digits=20,
                null=True,
                verbose_name="minimum",
            ),
        ),
        migrations.AlterField(
            model_name="price",
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
                default="per_unit",
                help_text="How quantity counts.",
                max_length=20,
                verbose_name="model",
            ),
        ),
        migrations.AddConstraint(
            model_name="price",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("minimum_amount__isnull", True),
                    models.Q(("minimum_amount__gte", 0), ("minimum_amount__lt", 100000000000000)),
                    _connector="OR",
                ),
                name="price_minimum_is_a_number_from_zero",
            ),
        ),
        migrations.AddField(
            model_name="campaign",
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
            model_name="discount",
            name="campaign",
            field=models.ForeignKey(
                blank=True,
                help_text="The campaign it counts towards.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="discounts",
                to="catalog.campaign",
            ),
        ),
        migrations.AddField(
            model_name="discount",
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
            model_name="discount",
            name="price",
            field=models.ForeignKey(
                blank=True,
                help_text="The price it covers.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="catalog.price",
            ),
        ),
        migrations.AddField(
            model_name="discount",
            name="product",
            field=models.ForeignKey(
                blank=True,
                help_text="The product it covers.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="catalog.product",
            ),
        ),
        migrations.AddField(
            model_name="meter",
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
            model_name="planitem",
            name="meter",
            field=models.ForeignKey(
                blank=True,
                help_text="What counts the usage.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="plan_items",
                to="catalog.meter",
                verbose_name="meter",
            ),
        ),
        migrations.AddConstraint(
            model_name="planitem",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("kind", "usage"), ("meter__isnull", False)),
                    models.Q(models.Q(("kind", "usage"), _negated=True), ("meter__isnull", True)),
                    _connector="OR",
                ),
                name="plan_item_usage_has_a_meter",
            ),
        ),
        migrations.AddField(
            model_name="offercode",
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
            model_name="offercode",
            name="discount",
            field=models.ForeignKey(
                help_text="What it gives.",
                on_delete=django.db.models.deletion.PROTECT,
                related_name="codes",
                to="catalog.discount",
            ),
        ),
        migrations.AddConstraint(
            model_name="campaign",
            constraint=models.UniqueConstraint(fields=("company", "code"), name="campaign_code_unique"),
        ),
        migrations.AddConstraint(
            model_name="campaign",
            constraint=models.UniqueConstraint(fields=("company", "id"), name="campaign_company_key"),
        ),
        migrations.AddConstraint(
            model_name="discount",
            constraint=models.UniqueConstraint(fields=("company", "code"), name="discount_code_unique"),
        ),
        migrations.AddConstraint(
            model_name="discount",
            constraint=models.UniqueConstraint(fields=("company", "id"), name="discount_company_key"),
        ),
        migrations.AddConstraint(
            model_name="discount",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("amount_minor__isnull", True), ("currency", ""), ("percent__isnull", False)),
                    models.Q(
                        ("amount_minor__gt", 0), ("percent__isnull", True), models.Q(("currency", ""), _negated=True)
                    ),
                    _connector="OR",
                ),
                name="discount_percent_or_amount",
            ),
        ),
        migrations.AddConstraint(
            model_name="discount",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("percent__isnull", True), models.Q(("percent__gt", 0), ("percent__lte", 100)), _connector="OR"
                ),
                name="discount_percent_range",
            ),
        ),
        migrations.AddConstraint(
            model_name="discount",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("duration", "periods"), ("periods__gte", 1)),
                    models.Q(models.Q(("duration", "periods"), _negated=True), ("periods__isnull", True)),
                    _connector="OR",
                ),
                name="discount_periods_counted",
            ),
        ),
        migrations.AddConstraint(
            model_name="meter",
            constraint=models.UniqueConstraint(fields=("company", "code"), name="meter_code_unique"),
        ),
        migrations.AddConstraint(
            model_name="meter",
            constraint=models.UniqueConstraint(fields=("company", "id"), name="meter_company_key"),
        ),
        migrations.AddConstraint(
            model_name="offercode",
            constraint=models.UniqueConstraint(fields=("company", "code"), name="offer_code_unique"),
        ),
        migrations.AddConstraint(
            model_name="offercode",
            constraint=models.UniqueConstraint(fields=("company", "id"), name="offer_code_company_key"),
        ),
        migrations.AddConstraint(
            model_name="offercode",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("total_limit__isnull", True), ("use_count__lte", models.F("total_limit")), _connector="OR"
                ),
                name="offer_code_within_limit",
            ),
        ),
    ]
