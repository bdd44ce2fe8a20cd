"""Everything the audit log can hold has words."""

from __future__ import annotations

from tests.house.verbs import UNKNOWN, written

#: The writer itself; its callers are read.
THE_WRITER = "core.services.trail"


def chosen() -> dict[str, set[str]]:
    """Verbs that only the running program puts together: by the pattern read from the source, what it can be."""
    from billing.models import Attempt, CreditNote, DunningStep

    causes = {cause if cause in ("void", "replace") else "credit" for cause in CreditNote.Cause.values}
    moved = (
        "trialing", "started", "converted", "renewed", "term_over", "changed", "discount_over", "paused", "resumed",
        "canceled", "expired",
    )  # fmt: skip
    return {
        "*": {"subscription.change"},
        "*.send": {"invoice.send", "credit_note.send"},
        "attempt.*": {f"attempt.{state}" for state in Attempt.State.values if state != "created"},
        "dunning.*": {f"dunning.{action}" for action in DunningStep.Action.values},
        "invoice.*": {f"invoice.{cause}" for cause in causes},
        "subscription.*": {f"subscription.{what}" for what in moved},
    }


def unreadable() -> dict[str, set[str]]:
    found = {
        verb: {place for place in places if not place.startswith(f"{THE_WRITER}:")}
        for verb, places in written().items()
        if UNKNOWN in verb
    }
    return {verb: places for verb, places in found.items() if places}


def test_what_the_source_does_not_say_is_listed_here() -> None:
    """A new place that puts its verb together as it runs is to be added to `chosen`."""
    assert {verb: len(places) for verb, places in unreadable().items()} == dict.fromkeys(chosen(), 1)


def test_the_source_is_read() -> None:
    """By name, by an f-string, by the callers of a helper, by a table, by a choice of two, by a statement."""
    verbs = set(written())
    assert len(verbs) > 250
    assert {
        "customer.update", "mandate.end", "subscription.cancel", "product.restore", "customer.archive", "role.save",
        "billing.settle",
    } <= verbs  # fmt: skip


def _all() -> list[str]:
    return sorted({verb for verb in written() if UNKNOWN not in verb}.union(*chosen().values()))


def test_every_verb_has_a_title() -> None:
    from customers.services.titles import known

    assert [verb for verb in _all() if verb not in known()] == []
