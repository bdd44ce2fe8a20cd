import django.db.models.deletion
import django.db.models.expressions
from django.db import migrations, models

from core.schema import LOCK_TIMEOUT


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0009_guards_look_up_by_key"),
        ("catalog", "0004_engine"),
        ("core", "0005_engine"),
        ("customers", "0004_engine"),
        ("subscriptions", "0007_engine"),
    ]

    operations = [
        LOCK_TIMEOUT,
        migrations.CreateModel(
            name="CreditUse",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("line_id", models.BigIntegerField(help_text="Invoice line it lowered.")),
                ("amount_minor", models.BigIntegerField(help_text="How much, in minor units; below zero: given back.")),
                ("used_on", models.DateField(help_text="Day.")),
            ],
        ),
        migrations.CreateModel(
            name="DiscountUse",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "line_id",
                    models.BigIntegerField(help_text="Invoice line; empty: a document that was not issued.", null=True),
                ),
                ("due_on", models.DateField(help_text="Day the charge fell due.")),
                (
                    "amount_minor",
                    models.BigIntegerField(help_text="Taken off, in minor units; below zero: given back."),
                ),
                ("period_used", models.BooleanField(help_text="Whether a whole period of the discount was used up.")),
            ],
        ),
        migrations.CreateModel(
            name="ExchangeRate",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("day", models.DateField(help_text="Day of the rate.")),
                ("currency", models.CharField(help_text="ISO 4217.", max_length=3)),
                (
                    "rate",
                    models.DecimalField(
                        decimal_places=10, help_text="Units of the currency for one euro.", max_digits=20
                    ),
                ),
                ("source", models.CharField(help_text="Where the figure comes from.", max_length=200)),
            ],
        ),
        migrations.CreateModel(
            name="RatedUsage",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("closed", "at the close"),
                            ("interim", "before the close"),
                            ("late", "after the close"),
                        ],
                        help_text="When it was rated.",
                        max_length=7,
                    ),
                ),
                ("start_at", models.DateTimeField(help_text="First instant it covers.")),
                ("end_at", models.DateTimeField(help_text="First instant it no longer covers.")),
                ("period_start", models.DateField(help_text="First day of its period.")),
                ("period_end", models.DateField(help_text="First day after its period.")),
                ("quantity", models.DecimalField(decimal_places=10, help_text="What the meter says.", max_digits=38)),
                ("cost_minor", models.BigIntegerField(help_text="Cost of the whole window so far, in minor units.")),
                (
                    "billed_minor",
                    models.BigIntegerField(
                        help_text="Part of it that this row's line bills, or (below zero) gives back."
                    ),
                ),
                ("line_id", models.BigIntegerField(help_text="Invoice line; empty: it cost nothing.", null=True)),
                ("note_id", models.BigIntegerField(help_text="Credit note that gives back.", null=True)),
                ("rated_at", models.DateTimeField(help_text="When, by the company's clock.")),
            ],
        ),
        migrations.RemoveConstraint(
            model_name="creditbalance",
            name="credit_balance_not_overdrawn",
        ),
        migrations.AddField(
            model_name="credit",
            name="expires_on",
            field=models.DateField(help_text="Last day it can be used; empty: never expires.", null=True),
        ),
        migrations.AddField(
            model_name="credit",
            name="invoice",
            field=models.ForeignKey(
                db_constraint=False,
                help_text="The invoice that sold this prepaid credit.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="packs",
                to="billing.invoice",
            ),
        ),
        migrations.AddField(
            model_name="credit",
            name="reason",
            field=models.CharField(
                blank=True, db_default="", default="", help_text="Why it was granted.", max_length=500
            ),
        ),
        migrations.AddField(
            model_name="credit",
            name="tax_category",
            field=models.CharField(
                blank=True,
                db_default="",
                default="",
                help_text="Category at which prepaid credit was taxed when it was sold.",
                max_length=2,
            ),
        ),
        migrations.AddField(
            model_name="credit",
            name="tax_rate",
            field=models.DecimalField(
                decimal_places=3, help_text="Percent at which prepaid credit was taxed.", max_digits=6, null=True
            ),
        ),
        migrations.AddField(
            model_name="creditbalance",
            name="lapsed_minor",
            field=models.BigIntegerField(
                db_default=0, default=0, help_text="Expired or taken back before it was used."
            ),
        ),
        migrations.AddField(
            model_name="invoice",
            name="issue_after_at",
            field=models.DateTimeField(
                blank=True,
                help_text="A draft of billing is issued by itself after this instant; empty: by hand.",
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="invoice",
            name="replaces",
            field=models.ForeignKey(
                blank=True,
                db_constraint=False,
                help_text="The voided invoice it stands in for.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="replaced_by",
                to="billing.invoice",
            ),
        ),
        migrations.AddField(
            model_name="invoice",
            name="tax_currency_minor",
            field=models.BigIntegerField(
                blank=True, help_text="Tax in the company's tax currency, where the document has another.", null=True
            ),
        ),
        migrations.AddField(
            model_name="invoice",
            name="tax_currency_rate",
            field=models.DecimalField(
                blank=True,
                decimal_places=10,
                help_text="Units of the document's for one of it.",
                max_digits=20,
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="invoice",
            name="waits_for",
            field=models.CharField(
                blank=True,
                choices=[("window", "the end of the approval window"), ("vat_check", "the check of the VAT id")],
                db_default="",
                default="",
                help_text="What a draft waits for; empty: a person.",
                max_length=20,
            ),
        ),
        migrations.AddField(
            model_name="invoiceline",
            name="discount_minor",
            field=models.BigIntegerField(db_default=0, default=0, help_text="Taken off the line, in minor units."),
        ),
        migrations.AddField(
            model_name="invoiceline",
            name="kind",
            field=models.CharField(
                choices=[
                    ("base", "recurring"),
                    ("added", "added units"),
                    ("usage", "usage"),
                    ("interim", "usage so far"),
                    ("late", "late usage"),
                    ("minimum", "minimum"),
                    ("one_off", "one-off"),
                ],
                db_default="base",
                default="base",
                help_text="What the line charges.",
                max_length=9,
            ),
        ),
        migrations.AlterField(
            model_name="billeddays",
            name="component",
            field=models.CharField(
                default="base", help_text="What was billed: base, added units, minimum.", max_length=40
            ),
        ),
        migrations.RemoveField(model_name="creditbalance", name="left_minor"),
        migrations.AddField(
            model_name="creditbalance",
            name="left_minor",
            field=models.GeneratedField(
                db_persist=True,
                expression=django.db.models.expressions.CombinedExpression(
                    django.db.models.expressions.CombinedExpression(
                        django.db.models.expressions.CombinedExpression(
                            models.F("amount_minor"), "-", models.F("used_minor")
                        ),
                        "-",
                        models.F("refunded_minor"),
                    ),
                    "-",
                    models.F("lapsed_minor"),
                ),
                help_text="Still there.",
                output_field=models.BigIntegerField(),
            ),
        ),
        migrations.AlterField(
            model_name="creditbalance",
            name="used_minor",
            field=models.BigIntegerField(default=0, help_text="Pays invoices, or lowers them."),
        ),
        migrations.AlterField(
            model_name="creditnote",
            name="cause",
            field=models.CharField(
                choices=[
                    ("cancel", "cancellation"),
                    ("change", "change"),
                    ("pause", "pause"),
                    ("usage", "late usage"),
                    ("replace", "replaced"),
                    ("void", "invoice voided"),
                    ("manual", "by hand"),
                ],
                help_text="What led to it.",
                max_length=8,
            ),
        ),
        migrations.AlterField(
            model_name="invoiceline",
            name="amount_minor",
            field=models.BigIntegerField(
                help_text="Rounded amount after its discount, net or gross as the document's prices."
            ),
        ),
        migrations.AddConstraint(
            model_name="credit",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("source", "money"), _negated=True), ("expires_on__isnull", True), _connector="OR"
                ),
                name="credit_of_money_never_expires",
            ),
        ),
        migrations.AddConstraint(
            model_name="credit",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("source", "prepaid"), _negated=True), ("tax_rate__isnull", False), _connector="OR"
                ),
                name="credit_prepaid_has_its_tax",
            ),
        ),
        migrations.AddConstraint(
            model_name="creditbalance",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("lapsed_minor__gte", 0),
                    ("refunded_minor__gte", 0),
                    ("used_minor__gte", 0),
                    (
                        "amount_minor__gte",
                        django.db.models.expressions.CombinedExpression(
                            django.db.models.expressions.CombinedExpression(
                                models.F("used_minor"), "+", models.F("refunded_minor")
                            ),
                            "+",
                            models.F("lapsed_minor"),
                        ),
                    ),
                ),
                name="credit_balance_not_overdrawn",
            ),
        ),
        migrations.AddConstraint(
            model_name="invoiceline",
            constraint=models.CheckConstraint(
                condition=models.Q(("discount_minor__gte", 0)), name="invoice_line_discount_from_zero"
            ),
        ),
        migrations.AddField(
            model_name="credituse",
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
            model_name="credituse",
            name="credit",
            field=models.ForeignKey(
                db_constraint=False,
                help_text="Which credit.",
                on_delete=django.db.models.deletion.PROTECT,
                related_name="uses",
                to="billing.credit",
            ),
        ),
        migrations.AddField(
            model_name="discountuse",
            name="agreed",
            field=models.ForeignKey(
                db_constraint=False,
                help_text="Which discount.",
                on_delete=django.db.models.deletion.PROTECT,
                related_name="uses",
                to="subscriptions.agreeddiscount",
            ),
        ),
        migrations.AddField(
            model_name="discountuse",
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
        migrations.AddConstraint(
            model_name="exchangerate",
            constraint=models.UniqueConstraint(fields=("currency", "day"), name="exchange_rate_unique"),
        ),
        migrations.AddConstraint(
            model_name="exchangerate",
            constraint=models.CheckConstraint(condition=models.Q(("rate__gt", 0)), name="exchange_rate_positive"),
        ),
        migrations.AddField(
            model_name="ratedusage",
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
            model_name="ratedusage",
            name="slot",
            field=models.ForeignKey(
                db_constraint=False,
                help_text="Whose usage.",
                on_delete=django.db.models.deletion.PROTECT,
                related_name="rated",
                to="subscriptions.slot",
            ),
        ),
        migrations.AddIndex(
            model_name="credituse",
            index=models.Index(fields=["line_id"], name="credit_use_by_line"),
        ),
        migrations.AddConstraint(
            model_name="credituse",
            constraint=models.CheckConstraint(
                condition=models.Q(("amount_minor", 0), _negated=True), name="credit_use_is_not_zero"
            ),
        ),
        migrations.AddIndex(
            model_name="discountuse",
            index=models.Index(fields=["agreed", "id"], name="discount_use_by_discount"),
        ),
        migrations.AddIndex(
            model_name="discountuse",
            index=models.Index(fields=["line_id"], name="discount_use_by_line"),
        ),
        migrations.AddIndex(
            model_name="ratedusage",
            index=models.Index(fields=["slot", "start_at", "id"], name="rated_usage_by_slot"),
        ),
        migrations.AddConstraint(
            model_name="ratedusage",
            constraint=models.CheckConstraint(
                condition=models.Q(("end_at__gt", models.F("start_at"))), name="rated_usage_window"
            ),
        ),
        migrations.AddConstraint(
            model_name="ratedusage",
            constraint=models.UniqueConstraint(
                condition=models.Q(("kind", "closed")), fields=("slot", "start_at"), name="rated_usage_closed_once"
            ),
        ),
    ]
