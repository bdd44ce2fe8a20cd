"""Planted faults fit the product as it is: a change of the product can't disarm one without being noticed here."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from core.fault_points import POINTS
from faults import mutants, planted
from faults.plan import DEED_OF, Injection
from faults.planted import MUTANTS, Edit, Mutant
from faults.strikes import Strikes

ROOT = Path(__file__).parents[2]
WANTED = {
    "exclusion constraint dropped", "new key per try", "time-out as failure", ".delay() for the outbox",
    "sequence for numbers", "lock removed", "ETA scheduling", "month from the previous date",
    "acknowledge before commit", "no dedupe", "balance not read again in dunning",
    "late acknowledgement without a claim",
}  # fmt: skip


def _name(mutant: Mutant) -> str:
    return mutant.name


def test_there_are_twelve_and_all_but_one_must_be_caught() -> None:
    assert {one.name for one in MUTANTS} == WANTED
    assert (len(MUTANTS), mutants.WANTED, mutants.SECONDS) == (12, 11, 60.0)


@pytest.mark.parametrize("mutant", MUTANTS, ids=_name)
def test_each_patch_fits_the_source_and_still_is_python(mutant: Mutant) -> None:
    found = planted.patched(mutant, ROOT)
    assert set(found) == {edit.file for edit in mutant.edits}
    assert found or mutant.sql
    for file, text in found.items():
        assert text != (ROOT / file).read_text()
        compile(text, file, "exec")


def test_what_is_planted_by_statement_names_what_the_database_has() -> None:
    statements = " ".join(text for mutant in MUTANTS for text in mutant.sql)
    migrations = "".join(path.read_text() for path in (ROOT / "billing/migrations").glob("*.py"))
    names = re.findall(r"DROP CONSTRAINT (\w+)", statements)
    assert names == ["billed_days_never_overlap"]
    assert f"name='{names[0]}'" in migrations


@pytest.mark.parametrize("mutant", MUTANTS, ids=_name)
def test_each_is_struck_by_something_that_exists(mutant: Mutant) -> None:
    around = inspect.getsource(Strikes._around)
    assert mutant.aimed
    for one in (*mutant.aimed, *mutant.in_peace):
        if one.point:
            assert one.point in POINTS
            assert one.point in DEED_OF
            assert one.kind == "kill" or f'"{one.kind}"' in around
        else:
            assert callable(getattr(Strikes, f"_{one.kind}"))


def test_a_patch_that_does_not_fit_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "room.py").write_text("one\ntwo\ntwo\n")
    for old in ("three", "two"):
        mutant = Mutant("m", (Injection("kill"),), edits=(Edit("room.py", old, "four"),))
        with pytest.raises(LookupError, match=re.escape(repr(old))):
            planted.plant(mutant, tmp_path)
    planted.plant(Mutant("m", (), edits=(Edit("room.py", "one", "1"), Edit("room.py", "1\n", "0\n"))), tmp_path)
    assert (tmp_path / "room.py").read_text() == "0\ntwo\ntwo\n"


def test_a_fault_that_only_breaks_down_or_met_no_strike_is_not_caught() -> None:
    told = ["invoices: 1 in peace, 0 after faults: x", "charged twice: 2"]
    assert mutants.Verdict(told=told, struck=1).is_caught
    assert mutants.Verdict(told=told, struck=1).by == "charged twice: 2; end state: invoices"
    assert not mutants.Verdict(told=told, struck=0).is_caught
    assert not mutants.Verdict(told=told, struck=1, broken="NameError: name 'x' is not defined").is_caught
    assert not mutants.Verdict(struck=1).is_caught
    assert mutants.BROKEN.search("tick_failed error=\"NameError: name 'x' is not defined\"")
