"""`manage.py report mrr`: any report on the terminal or as JSON."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from core import clock
from core.models import Company
from core.refusal import Refused
from core.spreadsheets import Sheet
from reporting import asking, registry, words


class Command(BaseCommand):
    help = "Prints a report, such as mrr (recurring revenue): its figures, then its tables, tabs between the columns."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", choices=[spec.name for spec in registry.every()], help="which report")
        parser.add_argument(
            "--on", type=date.fromisoformat, help="day of the report, such as 2026-11-01; default: today"
        )
        parser.add_argument("--company", help="address name of the company; may be left out when there is only one")
        parser.add_argument("--span", default="", choices=list(asking.SPANS), help="which time; default: the report's")
        parser.add_argument("--json", action="store_true", help="print JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        companies = Company.objects.order_by("slug")
        if options["company"]:
            companies = companies.filter(slug=options["company"])
        found = list(companies[:2])
        if len(found) != 1:
            raise CommandError("Say which company with --company." if found else "There is no such company.")
        on = options["on"] or clock.today(found[0])
        try:
            asked = asking.asked_of(registry.named(options["name"]), {"span": options["span"]}, today=on)
            built = registry.build(name=options["name"], company=found[0], asked=asked)
        except Refused as refused:
            raise CommandError(refused.message) from refused
        sheets = words.sheets_of(built)
        if options["json"]:
            days = {"on": asked.on, "first": asked.first, "last": asked.last}
            answer = {"company": found[0].slug, **days, "tables": {str(one.name): _rows(one) for one in sheets}}
            self.stdout.write(json.dumps(answer, indent=2, default=str))
            return
        self.stdout.write(f"{found[0].slug}  {asked.first.isoformat()} to {asked.last.isoformat()}")
        for sheet in sheets:
            self.stdout.write(f"\n{sheet.name}\n" + "\t".join(sheet.head))
            for row in sheet.rows:
                self.stdout.write("\t".join("" if value is None else str(value) for value in row))


def _rows(sheet: Sheet) -> list[dict[str, Any]]:
    return [dict(zip(sheet.head, row, strict=True)) for row in sheet.rows]
