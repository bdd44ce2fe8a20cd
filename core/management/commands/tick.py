"""`manage.py tick [NAME] [--company SLUG]`: asks what is due, in the fixed order, here and now.

For a cron job where no beat runs, and for looking what a tick would say. Asking too often is harmless.
"""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from core import clock
from core.models import Company
from core.services import ticks


class Command(BaseCommand):
    help = "Asks every tick, or one, what is due and does it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", nargs="?", default="", help="one tick alone; default: all, in their order")
        parser.add_argument("--company", default="", help="slug of one company; default: every live one")
        parser.add_argument("--list", action="store_true", help="show the ticks in their order and end")

    def handle(self, *args: Any, **options: Any) -> None:
        chosen = [tick for tick in ticks.all_ticks() if options["name"] in ("", tick.name)]
        if not chosen:
            names = ", ".join(tick.name for tick in ticks.all_ticks())
            raise CommandError(_("There is no such tick. There are: %(names)s") % {"names": names})
        if options["list"]:
            for tick in chosen:
                self.stdout.write(f"{tick.order:>4}  {tick.name:<24} {tick.every!s:<16} {tick.text}")
            return
        companies = Company.objects.filter(is_live=True)
        if options["company"]:
            companies = Company.objects.filter(slug=options["company"])
            if not companies:
                raise CommandError(_("There is no such company."))
        if (ahead := ticks.wrong_clock()) is not None:
            raise CommandError(
                _("This machine's clock and the database's are %(hours)d hours apart; nothing was asked.")
                % {"hours": abs(ahead) // timedelta(hours=1)}
            )
        failed = False
        for company in companies.order_by("pk"):
            for tick in chosen:
                try:
                    outcome = ticks.run_tick(name=tick.name, company=company, at=clock.now(company))
                except Exception as error:  # noqa: BLE001  one tick that fails holds up no other
                    failed, outcome = True, {"error": f"{type(error).__name__}: {error}"}
                said = json.dumps(outcome, default=str) if outcome else "-"
                self.stdout.write(f"{company.slug}  {tick.name}  {said}")
        if failed:
            sys.exit(1)
