"""`manage.py rebuild_closed_months`: adds the recurring revenue of closed months up anew from the movements."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from core import clock
from core.models import Company
from reporting import closed_months


class Command(BaseCommand):
    help = "Takes the sums of closed months away and adds them up anew. Reports say the same before and after."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--company", help="address name of the company; all of them when left out")

    def handle(self, *args: Any, **options: Any) -> None:
        companies = Company.objects.order_by("slug")
        if options["company"]:
            companies = companies.filter(slug=options["company"])
            if not companies:
                raise CommandError("There is no such company.")
        for company in companies:
            months = closed_months.rebuild(company, at=clock.now(company))
            self.stdout.write(f"{company.slug}: {months} closed months")
