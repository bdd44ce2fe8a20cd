"""`manage.py doctor`: looks at settings, clock, disk, queue, timetable, books and chain, and says what to do.

Ends with 1 when something is broken, with 0 else; `--json` for a monitor.
"""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from core import clock
from core.services import doctoring
from core.services.doctoring import Level

SIGNS = {Level.FINE: "ok", Level.LOOK: "look", Level.BROKEN: "BROKEN"}


class Command(BaseCommand):
    help = "Looks at the installation and says what is wrong and what to do about it."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("names", nargs="*", help="examinations to make; default: all")
        parser.add_argument("--quick", action="store_true", help="leave out those that read whole tables")
        parser.add_argument("--json", action="store_true", help="one JSON object a finding")
        parser.add_argument("--list", action="store_true", help="show the examinations and end")

    def handle(self, *args: Any, **options: Any) -> None:
        known = {one.name: one for one in doctoring.examinations()}
        if options["list"]:
            for one in known.values():
                self.stdout.write(f"{one.name:<12} {one.title}")
            return
        unknown = sorted(set(options["names"]) - set(known))
        if unknown:
            raise CommandError(_("There is no such examination. There are: %(names)s") % {"names": ", ".join(known)})
        worst = Level.FINE
        for one, findings in doctoring.examine(clock.machine_now(), names=options["names"], quick=options["quick"]):
            for finding in findings:
                if finding.level is Level.BROKEN or (finding.level is Level.LOOK and worst is Level.FINE):
                    worst = finding.level
                if options["json"]:
                    said = {"name": one.name, "level": finding.level, "text": finding.text, "advice": finding.advice}
                    self.stdout.write(json.dumps(said, ensure_ascii=False))
                else:
                    self.stdout.write(f"{SIGNS[finding.level]:<7} {one.title}: {finding.text}".rstrip(": "))
                    if finding.advice:
                        self.stdout.write(f"        {finding.advice}")
        if worst is Level.BROKEN:
            sys.exit(1)
