"""The rule of ties in both directions, played out on two sides that are changed in any order and told of each other."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from crm.services.tie_merging import merged, same

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
VALUES = st.sampled_from(["", "Ada", "Ida Byron", "Eda", "Ada "])
STEPS = st.lists(st.one_of(
    st.tuples(st.just("ours"), VALUES), st.tuples(st.just("theirs"), VALUES), st.just(("hear", "")),
    st.just(("send", "")),
), max_size=12)  # fmt: skip


class TwoSides:
    """A value on two sides, with what the tie remembers; each step is a minute later."""

    def __init__(self, begins_with: str, is_met: bool) -> None:
        self.ours = self.theirs = begins_with
        self.base: str | None = begins_with if is_met else None
        self.ours_at = self.theirs_at = self.now = BEGIN
        self.writes = 0

    def step(self, kind: str, value: str) -> None:
        self.now += timedelta(minutes=1)
        if kind == "ours":
            self.ours, self.ours_at = value, self.now
        elif kind == "theirs":
            self.theirs, self.theirs_at = value, self.now
        elif kind == "hear":
            self.hear()
        else:
            self.send()

    def hear(self) -> None:
        found = merged(
            "name", base=self.base, ours=self.ours, theirs=self.theirs, ours_at=self.ours_at, theirs_at=self.theirs_at
        )  # fmt: skip
        self.base = self.theirs
        if found.value != self.ours:
            self.ours, self.ours_at = found.value, self.now
            self.writes += 1

    def send(self) -> None:
        if self.base is None or not same("name", self.ours, self.base) or not same("name", self.ours, self.theirs):
            self.theirs, self.theirs_at = self.ours, self.now
            self.writes += 1
        self.base = self.ours

    def run(self) -> None:
        self.step("hear", "")
        self.step("send", "")


@given(begins_with=VALUES, is_met=st.booleans(), steps=STEPS)
def test_any_order_of_changes_ends_equal_on_both_sides_and_stays_so(
    begins_with: str, is_met: bool, steps: list[tuple[str, str]]
) -> None:
    sides = TwoSides(begins_with, is_met)
    for kind, value in steps:
        sides.step(kind, value)
    sides.run()
    assert same("name", sides.ours, sides.theirs)
    ours, written = sides.ours, sides.writes
    sides.run()
    sides.run()
    assert (sides.ours, sides.writes) == (ours, written)


@given(steps=st.lists(st.tuples(st.sampled_from(["ours", "theirs"]), st.sampled_from(["Ida", "Eda", "Oda"]))))
def test_of_changes_between_two_runs_the_last_one_stays(steps: list[tuple[str, str]]) -> None:
    sides = TwoSides("Ada", is_met=True)
    for kind, value in steps:
        sides.step(kind, value)
    changed_there, changed_here = sides.theirs != "Ada", sides.ours != "Ada"
    last = sides.theirs if sides.theirs_at > sides.ours_at else sides.ours
    wanted = last if changed_there and changed_here else sides.theirs if changed_there else sides.ours
    sides.run()
    assert sides.ours == sides.theirs == wanted


@given(base=VALUES, ours=VALUES)
def test_our_own_write_coming_back_is_no_change(base: str, ours: str) -> None:
    for theirs in (base, f" {base} "):
        found = merged("name", base=base, ours=ours, theirs=theirs, ours_at=BEGIN, theirs_at=BEGIN + timedelta(days=9))
        assert (found.value, found.outcome) == (ours, "")


def test_ours_wins_in_the_same_instant() -> None:
    found = merged("name", base="Ada", ours="Eda", theirs="Ida", ours_at=BEGIN, theirs_at=BEGIN)
    assert (found.value, found.outcome) == ("Eda", "ours")


def test_a_number_written_another_way_is_the_same_number() -> None:
    found = merged("phone", base="+49 30 1234", ours="+49 30 1234", theirs="+49 (30) 12-34", ours_at=None,
                   theirs_at=BEGIN)  # fmt: skip
    assert (found.value, found.outcome) == ("+49 30 1234", "")
