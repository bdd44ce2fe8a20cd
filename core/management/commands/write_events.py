"""`manage.py write_events`: writes the types of events to docs/reference/events.md."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.utils.translation import override

from core.services import event_types

OPENING = """# Events

What happened, as the timeline, `GET /api/v1/events` and [webhooks](../how-to/webhooks.md) tell it. An event is frozen
when it happens: `data` is what was true then, in 1 KB at most; for what is true now, ask the API with the id in it.
Amounts are whole numbers of the currency's smallest unit (`_minor`), days end in `_on`, ids carry their prefix.

An endpoint hears of single types (`invoice.paid`), of all of a noun (`invoice.*`), or of everything (`*`). New types
and new members of `data` may be added at any time; none is taken away or changes its meaning.

This page is written by `manage.py write_events`.
"""


def text() -> str:
    """The page, in English."""
    parts = [OPENING]
    with override("en"):
        for noun, types in event_types.by_noun().items():
            parts.append(f"## {noun}\n")
            for one in types:
                example = json.dumps(one.example, indent=2, ensure_ascii=False)
                parts.append(f"### `{one.name}`\n\n{one.meaning}\n\n```json\n{example}\n```\n")
    return "\n".join(parts)


def place() -> Path:
    return Path(settings.BASE_DIR) / "docs" / "reference" / "events.md"


class Command(BaseCommand):
    help = "Writes the types of events to docs/reference/events.md."
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        place().write_text(text(), "utf-8")
        self.stdout.write(str(place()))
