"""Writes the PDF of an issued invoice or credit note to a file."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from billing.documents import rendering
from billing.documents.content import KINDS
from core.models import Company
from core.refusal import Refused


class Command(BaseCommand):
    help = "Writes the PDF of an issued invoice or credit note to a file."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("number", help="Printed number of the document.")
        parser.add_argument("--company", required=True, help="Address name of the company.")
        parser.add_argument("--out", default="", help="File to write; default: the number with .pdf, here.")

    def handle(self, *args: Any, **options: Any) -> None:
        company = Company.objects.filter(slug=options["company"]).first()
        if company is None:
            raise CommandError(f"There is no company {options['company']!r}.")
        for model in KINDS.values():
            document = model.objects.filter(company=company, number=options["number"]).first()
            if document is not None:
                break
        else:
            raise CommandError(f"{company.name} has issued no document {options['number']!r}.")
        try:
            stored = rendering.pdf_of(document)
        except Refused as refused:
            raise CommandError(refused.message) from refused
        path = Path(options["out"] or stored.name)
        path.write_bytes(bytes(stored.content))
        self.stdout.write(f"{path}: {stored.size} bytes")
