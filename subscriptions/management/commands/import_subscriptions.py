"""`manage.py import_subscriptions FILE --mapping MAP.toml --on DATE`: a list of running subscriptions comes in."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from datetime import date
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from core import clock
from core.actors import Actor
from core.models import Company
from core.refusal import Refused
from pricing.money import Money
from subscriptions.services import importing

SHOWN_PROBLEMS = 50


class Command(BaseCommand):
    help = "Import customers and their running subscriptions from a CSV or XLSX file."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="the list, CSV (UTF-8) or XLSX")
        parser.add_argument("--mapping", type=Path, required=True, help="TOML file: which column says what")
        parser.add_argument("--on", type=date.fromisoformat, required=True, help="day of the take-over")
        parser.add_argument("--company", default="", help="its slug; not needed when there is only one")
        parser.add_argument("--dry-run", action="store_true", help="check everything, change nothing")
        parser.add_argument("--with-history", action="store_true", help="bill all days here, from the start on")
        parser.add_argument("--all-problems", action="store_true", help="print every problem, not the first 50")

    def handle(self, *args: Any, **options: Any) -> None:
        company = company_named(options["company"])
        read = importing.check if options["dry_run"] else importing.run
        try:
            outcome = read(
                company=company,
                content=options["file"].read_bytes(),
                file_name=options["file"].name,
                mapping=importing.from_toml(options["mapping"].read_text(encoding="utf-8")),
                on=options["on"],
                with_history=options["with_history"],
                by=Actor.system("import_subscriptions"),
                at=clock.now(company),
                told=self.told,
            )
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(str(error)) from None
        except Refused as refused:
            where = f"{refused.field}: " if refused.field else ""
            raise CommandError(f"{where}{refused.message}") from None
        self.report(outcome, dry_run=options["dry_run"], every=options["all_problems"])
        if outcome.failed:
            sys.exit(1)

    def told(self, done: int, total: int) -> None:
        if self.stderr.isatty():
            filled = 30 * done // total if total else 30
            bar = "█" * filled + "░" * (30 - filled)
            self.stderr.write(f"\r{bar} {done:,}/{total:,}", ending="\n" if done >= total else "")

    def report(self, outcome: importing.Outcome, *, dry_run: bool, every: bool) -> None:
        shown = outcome.problems if every else outcome.problems[:SHOWN_PROBLEMS]
        for problem in shown:
            place = " ".join(part for part in (problem.field, f"[{problem.column}]" if problem.column else "") if part)
            self.stdout.write(
                _("line %(line)s: %(place)s: %(message)s")
                % {
                    "line": problem.line,
                    "place": place or "-",
                    "message": problem.message,
                }
            )
        if len(shown) < len(outcome.problems):
            more = len(outcome.problems) - len(shown)
            self.stdout.write(_("… and %(more)s more problems") % {"more": more})
        if outcome.unused_columns:
            self.stdout.write(_("Columns not read: %(columns)s") % {"columns": ", ".join(outcome.unused_columns)})
        self.stdout.write(_("Lines:          %(count)s") % {"count": outcome.lines})
        self.stdout.write(_("Taken over:     %(count)s") % {"count": outcome.done})
        self.stdout.write(_("There already:  %(count)s") % {"count": outcome.known})
        self.stdout.write(_("Refused:        %(count)s") % {"count": outcome.failed})
        self.stdout.write(_("New customers:  %(count)s") % {"count": outcome.customers})
        self.stdout.write(
            _("Subscriptions:  %(count)s, of them ended: %(ended)s")
            % {
                "count": outcome.subscriptions,
                "ended": outcome.ended,
            }
        )
        for currency, minor in outcome.mrr_minor.items():
            self.stdout.write(
                _("MRR:            %(amount)s %(currency)s")
                % {
                    "amount": f"{Money(minor, currency).amount:f}",
                    "currency": currency,
                }
            )
        if dry_run:
            self.stdout.write(_("Dry run: nothing was changed."))
        elif outcome.source is not None:
            self.stdout.write(
                _("Import %(ref)s. Take it back with: manage.py undo_import %(ref)s")
                % {
                    "ref": outcome.source.ref,
                }
            )


def company_named(slug: str) -> Company:
    """The company with that slug, or the only one."""
    companies = list(Company.objects.filter(slug=slug) if slug else Company.objects.order_by("pk")[:2])
    if not companies:
        raise CommandError(_("There is no such company. Open one with: manage.py open_company"))
    if len(companies) > 1:
        raise CommandError(_("There are several companies; name one with --company SLUG."))
    return companies[0]
