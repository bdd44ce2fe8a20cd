"""`manage.py report mrr`: recurring revenue on the terminal or as JSON."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from core import clock
from core.models import Company
from reporting import mrr


class Command(BaseCommand):
    help = "Prints a report: mrr (recurring revenue, customers and churn by month)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", choices=["mrr"], help="which report")
        parser.add_argument(
            "--on", type=date.fromisoformat, help="day of the report, such as 2026-11-01; default: today"
        )
        parser.add_argument("--company", help="address name of the company; may be left out when there is only one")
        parser.add_argument("--months", type=int, default=13, help="how many months to list (default 13)")
        parser.add_argument("--json", action="store_true", help="print JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        companies = Company.objects.order_by("slug")
        if options["company"]:
            companies = companies.filter(slug=options["company"])
        found = list(companies[:2])
        if len(found) != 1:
            raise CommandError("Say which company with --company." if found else "There is no such company.")
        on = options["on"] or clock.today(found[0])
        answer = mrr.report(company=found[0], on=on, months=options["months"])
        if options["json"]:
            self.stdout.write(json.dumps(answer, indent=2))
            return
        for revenue in answer["currencies"]:
            self.stdout.write(
                f"{answer['company']}  {answer['on']}  MRR {revenue['mrr']} {revenue['currency']}"
                f"  ARR {revenue['arr']}  customers {revenue['customers']}"
            )
            columns = [
                "month",
                "opening",
                *mrr.KINDS,
                "closing",
                "customers_gained",
                "customers_lost",
                "customers_closing",
            ]
            self.stdout.write("  ".join(f"{name.replace('customers_', 'cust. '):>14}" for name in columns))
            for month in revenue["months"]:
                self.stdout.write("  ".join(f"{month[name]:>14}" for name in columns))
        if not answer["currencies"]:
            self.stdout.write(f"{answer['company']}  {answer['on']}  no recurring revenue yet")
