"""`manage.py sum_payments`: adds payments up anew, by day."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from billing.services import payment_days
from core.models import Company


class Command(BaseCommand):
    help = "Takes the sums of payments away and adds them up anew. Lists say the same before and after."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--company", help="address name of the company; all of them when left out")

    def handle(self, *args: Any, **options: Any) -> None:
        companies = Company.objects.order_by("slug")
        if options["company"]:
            companies = companies.filter(slug=options["company"])
            if not companies:
                raise CommandError("There is no such company.")
        for company in companies:
            self.stdout.write(f"{company.slug}: {payment_days.rebuild(company)} payments")
