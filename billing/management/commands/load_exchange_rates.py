"""`manage.py load_exchange_rates FILE | --fetch`: stores the ECB's euro reference rates.

FILE is one of the files the ECB publishes: CSV, its zip, or XML. What is stored already stays.
"""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from billing.services import reference_rates
from core.refusal import Refused


class Command(BaseCommand):
    help = "Stores the reference rates of the European Central Bank, from a file or from where it publishes them."

    def add_arguments(self, parser: ArgumentParser) -> None:
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument("file", nargs="?", type=Path, help="a file of the ECB: CSV, its zip, or XML")
        what.add_argument("--fetch", action="store_true", help="get the file of the last 90 days")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            content = reference_rates.fetch() if options["fetch"] else options["file"].read_bytes()
            loaded = reference_rates.load(content)
        except OSError as error:
            raise CommandError(str(error)) from error
        except Refused as refused:
            raise CommandError(refused.message) from refused
        self.stdout.write(f"{loaded.read} read, {loaded.added} new, last day {loaded.last_day}")
