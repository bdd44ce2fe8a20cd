"""The machine's own names are said in the reader's language, people's as they are."""

from __future__ import annotations

import re
from pathlib import Path

from django.utils.translation import override

from core.actors import SYSTEM_NAMES, actor_words

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("api", "backoffice", "billing", "catalog", "core", "crm", "customers", "portal", "reporting", "subscriptions")


def test_every_name_the_machine_gives_itself_has_words() -> None:
    found = {
        name
        for room in ROOMS
        for path in (ROOT / room).rglob("*.py")
        for name in re.findall(r'^[A-Z_]+(?:: Final)? = Actor\.system\("([^"]+)"\)', path.read_text("utf-8"), re.M)
    }
    assert len(found) > 15
    assert sorted(found - SYSTEM_NAMES) == []


def test_only_the_machines_names_are_translated() -> None:
    with override("de"):
        assert (actor_words("Web form"), actor_words("March"), actor_words("")) == ("Webformular", "March", "")
