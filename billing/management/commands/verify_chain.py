"""`manage.py verify_chain`: recomputes the hash chain over issued documents and names what doesn't fit."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from billing.services.chain import verify_chain
from core.models import Company


class Command(BaseCommand):
    help = "Checks the chain of issued documents: each edited, missing or swapped one is named."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--company", help="Address name of the company; all of them without it.")

    def handle(self, *args: Any, **options: Any) -> None:
        companies = Company.objects.order_by("pk")
        if options["company"]:
            companies = companies.filter(slug=options["company"])
            if not companies:
                raise CommandError(f"There is no company {options['company']}.")
        broken = 0
        for company in companies:
            problems = verify_chain(company)
            broken += len(problems)
            self.stdout.write(f"{company.slug}: {len(problems)} problems" if problems else f"{company.slug}: in order")
            for problem in problems:
                detail = f" ({problem.detail})" if problem.detail else ""
                self.stdout.write(f"  {problem.code}: {problem.subject}{detail}")
        if broken:
            raise CommandError(f"{broken} problems found.")
