"""Planted faults, each put into a copy of the product and struck by the injections aimed at it: it must be caught.

The rule that matters: what catches a fault is the campaign's own judgement (something lost, double or stuck, an audit,
another end state than in peace), never that the patch itself breaks down; and the unchanged product stands the very
same strikes. Run it: python -m faults.mutants [NAME ...]
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Final

from faults import campaign
from faults.plan import Injection
from faults.planted import MUTANTS, Mutant, plant
from faults.town import ROOT

#: The story of this seed has, with so few customers, cards, transfers and debtors early on and somebody of the 31st.
SEED, CUSTOMERS = 74, 12
#: Of so many planted faults at least these must be caught, each in so many seconds.
WANTED, SECONDS = len(MUTANTS) - 1, 60.0
#: What a process of the product says when the patch is what broke: such a fault is not caught, it is badly planted.
BROKEN: Final = re.compile(
    r"\b(NameError|AttributeError|ImportError|ModuleNotFoundError|SyntaxError|IndentationError|TypeError|"
    r"UnboundLocalError|ProgrammingError)\b.*"
)
LEFT_OUT: Final = ("node_modules", "tests", "docs", "benchmarks")


@dataclass(slots=True)
class Verdict:
    """Of one life: what gave it away, what broke that should not, how long it took, how many strikes met something."""

    told: list[str] = field(default_factory=list)
    broken: str = ""
    seconds: float = 0.0
    struck: int = 0
    unmet: list[str] = field(default_factory=list)

    @property
    def is_caught(self) -> bool:
        return bool(self.told) and not self.broken and self.struck > 0

    @property
    def by(self) -> str:
        """What caught it, in one line."""
        tables = sorted({line.partition(":")[0] for line in self.told if " in peace, " in line})
        others = [line for line in self.told if " in peace, " not in line]
        differing = [f"end state: {', '.join(tables)}"] if tables else []
        return "; ".join([*(line[:90] for line in others[:2]), *differing])


class Ground:
    """The product as it stood when it began, copied once, and the peaceful lives that others are compared with."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.kept = Path(os.environ.get("TURNUS_FAULTS_LOGS") or folder / "logs")
        self.product = folder / "product"
        shutil.copytree(ROOT, self.product, ignore=_left_out, symlinks=True)
        self._lived: dict[tuple[tuple[date, ...], tuple[str, ...]], campaign.Outcome] = {}
        campaign.template(SEED, CUSTOMERS, code=self.product)

    def peace(self, mutant: Mutant) -> campaign.Outcome:
        """The unchanged product without faults, once for each calendar. Raises RuntimeError when something is wrong."""
        key = mutant.calendar, tuple(one.name for one in mutant.in_peace)
        if key not in self._lived:
            os.environ["TURNUS_FAULTS_LOGS"] = str(self._logs("in peace"))
            came = campaign.life(
                SEED, CUSTOMERS, list(mutant.calendar), _fresh(mutant.in_peace), code=self.product, is_narrow=True
            )
            if came.wrong or came.told.unmet:
                raise RuntimeError(f"in peace: {came.wrong} {[one.name for one in came.told.unmet]}")
            self._lived[key] = came
        return self._lived[key]

    def struck(self, mutant: Mutant, *, planted: bool) -> Verdict:
        """The life of the strikes aimed at it, with the fault in the product or, as the control, without it."""
        quiet = self.peace(mutant)
        begun, verdict = time.monotonic(), Verdict()
        with ExitStack() as stack:
            code = self.product
            if planted and mutant.edits:
                code = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mutant-", dir=self.folder)))
                shutil.copytree(self.product, code, dirs_exist_ok=True, symlinks=True, copy_function=os.link)
                plant(mutant, code)
            logs = self._logs(f"{mutant.name}{'' if planted else ' unchanged'}")
            os.environ["TURNUS_FAULTS_LOGS"] = str(logs)
            try:
                came = campaign.life(
                    SEED, CUSTOMERS, list(mutant.calendar), _fresh(mutant.aimed), code=code,
                    sql=mutant.sql if planted else (), is_narrow=True,
                )  # fmt: skip
            except RuntimeError as error:
                verdict.broken = f"it does not live: {' '.join(str(error)[-300:].split())}"
            else:
                verdict.told = [*came.wrong, *campaign.differences(quiet.dump, came.dump)]
                verdict.struck, verdict.unmet = len(came.told.struck), [one.name for one in came.told.unmet]
                said = BROKEN.search((logs / "deeds-struck.log").read_text(errors="replace"))
                verdict.broken = said[0][:200] if said else ""
        verdict.seconds = time.monotonic() - begun
        return verdict

    def _logs(self, name: str) -> Path:
        """What the processes of this life say; `TURNUS_FAULTS_LOGS` names a folder to keep it in."""
        found = self.kept / name.replace(" ", "-")
        found.mkdir(parents=True, exist_ok=True)
        return found


def _left_out(folder: str, names: list[str]) -> set[str]:
    """What a copy of the product does without. Compiled files come along: they fit as long as their source does."""
    at_top = Path(folder) == ROOT
    return {name for name in names if at_top and (name in LEFT_OUT or name.startswith("."))}


def _fresh(injections: Sequence[Injection]) -> list[Injection]:
    """Injections count how long they waited; each life has its own."""
    return [Injection(one.kind, one.point, one.number) for one in injections]


def main(names: Sequence[str]) -> int:
    chosen = [one for one in MUTANTS if not names or any(name in one.name for name in names)]
    if not chosen:
        print("There is no such planted fault; there are: " + ", ".join(one.name for one in MUTANTS))
        return 2
    lines: list[str] = []
    caught, fine = 0, True
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="turnus-mutants-", dir="/tmp") as folder:
        ground = Ground(Path(folder))
        print(f"# the world is made: {time.monotonic() - begun:.0f} s", flush=True)
        for mutant in chosen:
            control, verdict = ground.struck(mutant, planted=False), ground.struck(mutant, planted=True)
            stands = control.struck == len(mutant.aimed) and not control.told and not control.broken
            caught += verdict.is_caught
            fine = fine and stands and verdict.seconds <= SECONDS
            word = "caught" if verdict.is_caught else "BROKEN" if verdict.broken else "ALIVE"
            lines.append(
                f"{mutant.name:<38} {verdict.seconds:>4.0f} s  {word:<7} {'stands' if stands else 'FALLS':<7} "
                f"{control.seconds:>4.0f} s  {verdict.broken or verdict.by or '-'}"
            )
            print(lines[-1], flush=True)
            if not stands:
                said = [control.broken, *control.told, *(f"met nothing: {name}" for name in control.unmet)]
                print("".join(f"    unchanged: {line[:200]}\n" for line in filter(None, said[:12])), end="", flush=True)
            if verdict.unmet:
                print(f"    met nothing: {', '.join(verdict.unmet)}", flush=True)
    print(f"\n{'planted fault':<38} {'time':>6}  {'verdict':<7} {'without it':<15} caught by")
    print("\n".join(lines))
    print(f"{caught} of {len(chosen)} caught in {time.monotonic() - begun:.0f} s", flush=True)
    wanted = len(chosen) if names else WANTED
    return 0 if fine and caught >= wanted else 1


if __name__ == "__main__":
    # Told to stop, it takes its worlds down first.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main(sys.argv[1:]))
