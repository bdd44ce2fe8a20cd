"""`manage.py check_figures`: reckons recurring revenue anew from what was agreed, and names each difference."""

from __future__ import annotations

import sys
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from core import clock
from core.models import Company
from reporting import audit


class Command(BaseCommand):
    help = "Reckons recurring revenue, churn and closed months once more. Ends with 1 when a figure differs."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--company", help="address name of the company; all of them when left out")
        parser.add_argument("--on", type=date.fromisoformat, help="day up to which; default: today")

    def handle(self, *args: Any, **options: Any) -> None:
        companies = Company.objects.order_by("slug")
        if options["company"]:
            companies = companies.filter(slug=options["company"])
            if not companies:
                raise CommandError("There is no such company.")
        found = 0
        for company in companies:
            wrong = list(audit.differences(company, options["on"] or clock.today(company)))
            found += len(wrong)
            self.stdout.write(f"{company.slug}: {len(wrong)} differences" if wrong else f"{company.slug}: all agrees")
            for one in wrong:
                self.stdout.write(f"  {one}")
        if found:
            sys.exit(1)
