"""`manage.py update_tax_rates [--company SLUG]`: adds tax rates that ship with Turnus and are missing.

What is there, above all what a person entered, stays as it is; again is harmless.
"""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from catalog.services import taxes
from core import clock
from core.actors import Actor
from core.models import Company


class Command(BaseCommand):
    help = "Brings the tables of tax rates up to date; changes nothing that is there."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--company", default="", help="slug of one company; default: every company")

    def handle(self, *args: Any, **options: Any) -> None:
        companies = Company.objects.order_by("pk")
        if options["company"]:
            companies = companies.filter(slug=options["company"])
            if not companies:
                raise CommandError(_("There is no such company."))
        for company in companies:
            added = taxes.bring_up_to_date(company=company, by=Actor.system("update_tax_rates"), at=clock.now(company))
            self.stdout.write(f"{company.slug}  {len(added)}")
            for rate in added:
                place = f"{rate.country}-{rate.region}" if rate.region else rate.country
                self.stdout.write(f"  {place} {rate.level} {rate.percent.normalize():f} % {rate.valid_from}")
