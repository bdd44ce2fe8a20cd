"""`manage.py advance --company X (--to DATE | --months N)`: a test company's clock moves on, ticks asked each day."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import date, datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from core import clock
from core.models import Company
from core.refusal import Refused
from core.services import ticks
from pricing.periods import add_months

PLAIN_EVERY = 31


class Command(BaseCommand):
    help = "Moves a test company's clock forward, day by day."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--company", required=True, help="its slug")
        how_far = parser.add_mutually_exclusive_group(required=True)
        how_far.add_argument("--to", type=date.fromisoformat, help="up to this day, at the clock's time of day")
        how_far.add_argument("--months", type=int, help="so many months on")

    def handle(self, *args: Any, **options: Any) -> None:
        company = Company.objects.filter(slug=options["company"]).first()
        if company is None:
            raise CommandError(_("There is no such company."))
        begun = clock.now(company).astimezone(clock.zone(company.time_zone))
        day = options["to"] or add_months(begun.date(), options["months"])
        to = datetime.combine(day, begun.timetz().replace(tzinfo=None), begun.tzinfo)
        days, done = max((to - begun) // timedelta(days=1), 0), 0

        def told(moment: datetime) -> None:
            nonlocal done
            done += 1
            if self.stderr.isatty():
                self.stderr.write(f"\r{moment:%Y-%m-%d}  {done}/{days} ", ending="\n" if done >= days else "")
                self.stderr.flush()
            elif done % PLAIN_EVERY == 0:
                self.stderr.write(f"{moment:%Y-%m-%d}  {done}/{days}")

        try:
            ticks.advance(company=company, to=to, told=told)
        except Refused as refused:
            raise CommandError(refused.message) from None
        except KeyboardInterrupt:
            raise CommandError(_("Stopped; the same command goes on from there."), returncode=130) from None
        self.stdout.write(f"{company.slug}: {clock.now(company).isoformat()}")
