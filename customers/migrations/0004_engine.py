import django.db.models.deletion
from django.db import migrations, models

from core.schema import LOCK_TIMEOUT


class Migration(migrations.Migration):
    dependencies = [
        ("core", "0005_engine"),
        ("customers", "0003_company_alone_has_no_index"),
    ]

    operations = [
        LOCK_TIMEOUT,
        migrations.CreateModel(
            name="VatCheck",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("vat_id", models.CharField(help_text="As it was asked.", max_length=20)),
                (
                    "answer",
                    models.CharField(
                        choices=[("valid", "valid"), ("invalid", "invalid"), ("unavailable", "no answer")],
                        help_text="What the service said.",
                        max_length=11,
                    ),
                ),
                (
                    "name",
                    models.CharField(blank=True, help_text="Name the service knows, if it tells.", max_length=300),
                ),
                ("address", models.TextField(blank=True, help_text="Address the service knows, if it tells.")),
                (
                    "proof",
                    models.CharField(
                        blank=True, help_text="The service's own number for the question.", max_length=120
                    ),
                ),
                ("detail", models.CharField(blank=True, help_text="Why there is no answer.", max_length=500)),
                ("asked_at", models.DateTimeField(help_text="When it was asked, by the company's clock.")),
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
                        help_text="Whose VAT id was asked about.",
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="vat_checks",
                        to="customers.customer",
                    ),
                ),
            ],
            options={
                "verbose_name": "VAT id check",
                "indexes": [models.Index(fields=["customer", "-id"], name="vat_check_by_customer")],
            },
        ),
    ]
