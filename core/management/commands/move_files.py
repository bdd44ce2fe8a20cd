"""`manage.py move_files --to bucket|database [--company SLUG]`: moves the bytes of stored files, row by row.

Each is dropped where it lay only after it was read from where it now lies. Stop it and start it again as you like; what
is moved is passed over. Ends with 1 when a file could not be moved; it is named and stays where it was.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from core import bucket
from core.models import Company, StoredFile
from core.sealing import CannotOpen
from core.services import file_moves

PORTION = 500
#: Failures one after another after which it is no single file's fault.
IN_A_ROW = 20


class Command(BaseCommand):
    help = "Moves the bytes of stored files into the bucket, or back into the database."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--to", required=True, choices=sorted(file_moves.MOVES), help="where they shall lie")
        parser.add_argument("--company", default="", help="slug of one company; default: all")

    def handle(self, *args: Any, **options: Any) -> None:
        if not bucket.is_there():
            raise CommandError("no bucket is named: set TURNUS_FILES_URL")
        if options["to"] == "database" and bucket.takes_new():
            self.stderr.write("New files still go to the bucket: set TURNUS_FILES_TO=database and restart first.")
        rows = StoredFile.objects.order_by("pk")
        if options["company"]:
            company = Company.objects.filter(slug=options["company"]).first()
            if company is None:
                raise CommandError(_("There is no such company."))
            rows = rows.filter(company=company)
        rows = rows.filter(object_key="") if options["to"] == "bucket" else rows.exclude(object_key="")
        moved, failed = self._move(rows, options["to"])
        self.stdout.write(f"moved: {moved}, failed: {failed}")
        if failed:
            sys.exit(1)

    def _move(self, rows: Any, to: str) -> tuple[int, int]:
        move = file_moves.MOVES[to]
        moved = failed = in_a_row = last = 0
        while ids := list(rows.filter(pk__gt=last).values_list("pk", "public_id")[:PORTION]):
            for pk, public_id in ids:
                try:
                    moved += move(pk)
                    in_a_row = 0
                except (bucket.BucketError, CannotOpen) as error:
                    failed, in_a_row = failed + 1, in_a_row + 1
                    self.stderr.write(f"{StoredFile(public_id=public_id).ref}: {type(error).__name__}: {error}")
                    if in_a_row == IN_A_ROW:
                        raise CommandError(f"{in_a_row} failures in a row; moved: {moved}") from error
            last = ids[-1][0]
            self.stdout.write(f"moved so far: {moved}")
        return moved, failed
