"""The table of event types: whole, small, and the reference page is made of it."""

from __future__ import annotations

import json

import pytest

from core.management.commands import write_events
from core.refusal import Refused
from core.services import event_types


def test_the_reference_page_is_what_the_table_says() -> None:
    assert write_events.place().read_text("utf-8") == write_events.text()


def test_every_type_has_a_meaning_and_an_example_as_small_as_an_event() -> None:
    types = event_types.all_types()
    assert len(types) >= 60
    for one in types:
        assert str(one.meaning).endswith("."), one.name
        assert 0 < len(json.dumps(one.example)) <= 1024, one.name


def test_a_type_is_registered_once_and_is_a_noun_and_a_past_verb() -> None:
    with pytest.raises(LookupError):
        event_types.register({"invoice.paid": ("Again.", {"id": 1})})
    with pytest.raises(ValueError, match="noun"):
        event_types.register({"Invoice": ("No.", {"id": 1})})


def test_patterns_are_kept_once_and_known() -> None:
    assert event_types.patterns(["invoice.*", " customer.created ", "invoice.*"]) == ["customer.created", "invoice.*"]
    for unknown in ("invoice", "invoice.p*", "*.paid", "**"):
        with pytest.raises(Refused):
            event_types.patterns([unknown])


def test_every_noun_is_readable_over_the_api() -> None:
    from api.resources.facts import EVENT_RIGHTS

    readable = {noun for nouns in EVENT_RIGHTS.values() for noun in nouns}
    assert set(event_types.by_noun()) - readable == set()
