"""`manage.py undo_import REF`: takes an import back while nothing of it was billed."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from core import clock
from core.actors import Actor
from core.ids import BadId
from core.refusal import Refused
from subscriptions.models import Import
from subscriptions.services import importing


class Command(BaseCommand):
    help = "Take an import back while nothing of it was billed."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("ref", help="id of the import, such as imp_01h455vb4pex5vsknk084sn02q")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            source = Import.by_ref(Import.objects.select_related("company"), options["ref"])
            importing.undo(source=source, by=Actor.system("undo_import"), at=clock.now(source.company))
        except (BadId, Import.DoesNotExist):
            raise CommandError(_("There is no import %(ref)s.") % {"ref": options["ref"]}) from None
        except Refused as refused:
            raise CommandError(refused.message) from None
        self.stdout.write(_("Taken back."))
