"""`manage.py import_usage FILE [--dry-run]`: usage events from a CSV file come in."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from billing.services import using
from core import clock
from core.actors import Actor
from core.models import Company
from core.refusal import Refused
from subscriptions.services import usage_files

SHOWN_LINES = 50


class Command(BaseCommand):
    help = "Count usage events from a CSV file with the columns meter, event_id, subscription, at, value and key."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="the events, CSV (UTF-8)")
        parser.add_argument("--company", default="", help="its slug; not needed when there is only one")
        parser.add_argument("--dry-run", action="store_true", help="check everything, change nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        slug = options["company"]
        companies = list(Company.objects.filter(slug=slug) if slug else Company.objects.order_by("pk")[:2])
        if len(companies) != 1:
            raise CommandError(_("Name the company with --company SLUG."))
        company = companies[0]
        try:
            outcome = using.take_in_file(
                company=company,
                content=options["file"].read_bytes(),
                file_name=options["file"].name,
                at=clock.now(company),
                by=Actor.system("import_usage"),
                dry_run=options["dry_run"],
            )
        except OSError as error:
            raise CommandError(str(error)) from None
        except Refused as refused:
            raise CommandError(refused.message) from None
        self.report(outcome, dry_run=options["dry_run"])
        if outcome.refused:
            sys.exit(1)

    def report(self, outcome: using.FileTakenIn, *, dry_run: bool) -> None:
        for line, bad in outcome.refused[:SHOWN_LINES]:
            words = {"line": line, "message": usage_files.message_of(bad)}
            self.stdout.write(_("line %(line)s: %(message)s") % words)
        if len(outcome.refused) > SHOWN_LINES:
            more = len(outcome.refused) - SHOWN_LINES
            self.stdout.write(_("… and %(more)s more problems") % {"more": more})
        self.stdout.write(_("Events:      %(count)s") % {"count": outcome.lines})
        self.stdout.write(_("Counted:     %(count)s") % {"count": outcome.accepted})
        self.stdout.write(_("Known:       %(count)s") % {"count": outcome.duplicates})
        self.stdout.write(_("Refused:     %(count)s") % {"count": len(outcome.refused)})
        if dry_run:
            self.stdout.write(_("Dry run: nothing was changed."))
