"""Takes in delivery reports (RFC 3464) that a plain mail server sends back: one from the input, or a whole maildir.

As a pipe of a mail server: `turnus-bounces: "|manage.py take_bounces"`; as a poll: `manage.py take_bounces --maildir
FOLDER`, whose mails are taken out once they are kept.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from customers.services import bounce_reports

#: Bytes of the largest report that is read.
LARGEST = 10_000_000


class Command(BaseCommand):
    help = "Takes in delivery reports from the input or a maildir."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--maildir", type=Path, help="Folder of a maildir; without it, one mail is read.")
        parser.add_argument("--keep", action="store_true", help="Leave the mails in the maildir.")

    def handle(self, *args: Any, **options: Any) -> None:
        folder = options["maildir"]
        count = 0
        if folder is None:
            count = bounce_reports.take(sys.stdin.buffer.read(LARGEST))
        else:
            for key, content in bounce_reports.in_maildir(folder):
                count += bounce_reports.take(content[:LARGEST])
                if not options["keep"]:
                    bounce_reports.drop(folder, key)
        self.stdout.write(f"{count} addresses")
