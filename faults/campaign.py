"""A whole campaign: one life in peace, the same struck, and what both leave behind compared.

The rule that matters: both begin with the same bytes, a world made once and copied.
"""

from __future__ import annotations

import fcntl
import hashlib
import multiprocessing
import os
import shutil
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import date, timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

from core.fault_points import POINTS
from faults.hands import Hand
from faults.life import FIRST, LATER, Told, days, live, morning
from faults.plan import FEWEST, NIGHT, NIGHTS, Injection
from faults.town import DISK, ROOT, Town
from ops import places

#: Worlds made earlier are kept here, by what they were made of.
KEPT: Final = "faults"
#: Enough for what a few strikes leave, see `life`; what is stuck is known sooner.
SHORT: Final = LATER[:4]


@dataclass(slots=True)
class Outcome:
    """What a life left: its end state, what is wrong with it, how it went."""

    told: Told
    dump: dict[str, Any]
    wrong: list[str] = field(default_factory=list)
    #: Mails that came again under the same id, as at-least-once allows after a fault.
    twice: int = 0


def template(seed: int, customers: int, *, code: Path = ROOT) -> Path:
    """The folder of a stopped world at its beginning; made if there is none for this code, looked for once."""
    if (seed, customers) in _templates:
        return _templates[seed, customers]
    digest = hashlib.sha256(f"{seed} {customers} {FIRST}".encode())
    for path in sorted([*code.glob("*/migrations/*.py"), code / "faults/story.py"]):
        digest.update(path.read_bytes())
    base = places.private_folder(places.state_folder() / KEPT)
    folder = base / digest.hexdigest()[:12]
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _make(folder, seed, customers, code)
    _templates[seed, customers] = folder
    return folder


def _make(folder: Path, seed: int, customers: int, code: Path) -> None:
    if not (folder / "made").exists():
        shutil.rmtree(folder, ignore_errors=True)
        town = Town(folder, code=code)
        town.set_clock(morning(FIRST) - timedelta(hours=1))
        town.start()
        try:
            hand = Hand(town)
            hand.read("build", at=morning(FIRST) - timedelta(hours=1), seconds=900, seed=seed, customers=customers)
            hand.end()
        finally:
            town.stop()
        (folder / "made").touch()


#: Worlds known to this process: what is changed while it runs changes no beginning.
_templates: dict[tuple[int, int], Path] = {}


@contextmanager
def world(seed: int, customers: int, *, code: Path = ROOT, disk: bool = False) -> Iterator[tuple[Town, Hand]]:
    """A fresh copy of the beginning, running; `disk`: its database on a disk of its own, where that is allowed."""
    source = Town(template(seed, customers))
    folder = Path(tempfile.mkdtemp(prefix="turnus-faults-", dir="/tmp"))
    town = Town(folder, code=code)
    mounted = False
    try:
        if disk and os.geteuid() == 0:
            owner = town.cluster.account
            town.cluster.data.mkdir(exist_ok=True)
            options = f"size={DISK},mode=0700" + (f",uid={owner.uid},gid={owner.gid}" if owner else "")
            made = subprocess.run(
                ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(town.cluster.data)], capture_output=True
            )
            mounted = made.returncode == 0
        source.copy_to(town)
        town.has_own_disk = mounted
        town.set_clock(morning(FIRST) - timedelta(minutes=30))
        town.start()
        hand = Hand(town)
        hand.read("point_hooks", url=town.environment["TURNUS_FAULTS_HOOKS"])
        town.api_key = hand.read("api_key", at=morning(FIRST))
        yield town, hand
        hand.end()
    finally:
        town.stop()
        if mounted:
            subprocess.run(["umount", str(town.cluster.data)], check=False)
        town.remove()
        with suppress(OSError):
            source.log.close()


def life(
    seed: int, customers: int, calendar: list[date], plan: list[Injection], *, code: Path = ROOT,
    sql: tuple[str, ...] = (), is_narrow: bool = False,
) -> Outcome:  # fmt: skip
    """Lives the days in a world of its own and looks at what is left. `is_narrow`: no mail may come twice, not even
    under one id, and less time is given to what waits."""
    with world(seed, customers, code=code, disk=any(one.kind == "disk_full" for one in plan)) as (town, hand):
        if not town.has_own_disk:
            plan = [one for one in plan if one.kind != "disk_full"]
        for statement in sql:
            hand.read("sql", text=statement)
        told = live(town, hand, calendar, plan, seed=seed, later=SHORT if is_narrow else LATER)
        end = morning(calendar[-1]) + LATER[-1] + timedelta(minutes=30)
        dump = hand.read("dump", at=end, seconds=600)
        outcome = Outcome(told, dump, list(dump["wrong"]))
        outcome.wrong += [f"stuck on {words}" for words in told.stuck]
        outcome.wrong += _outside(town, dump)
        outcome.twice = twice_sent(town.caught())
        if outcome.twice and (is_narrow or not plan):
            outcome.wrong.append(f"mails sent twice: {outcome.twice}")
        outcome.wrong += _doctor(hand, end)
        keep = os.environ.get("TURNUS_FAULTS_LOGS")
        if keep:
            shutil.copy(hand.log, Path(keep) / f"deeds-{'struck' if plan else 'peace'}.log")
    return outcome


def _doctor(hand: Hand, at: Any) -> list[str]:
    found = hand.read("doctor", at=at, seconds=300)
    return [f"doctor: {words}" for words in found]


def _outside(town: Town, dump: dict[str, Any]) -> list[str]:
    """Mails, webhooks and money as the outside has them, beside what the product believes."""
    said = []
    caught = Counter(id_.strip("<>").partition("@")[0] for _to, id_ in town.caught())
    sent = set(dump["mails"])
    if missing := sent - set(caught):
        said.append(f"mails lost: {len(missing)}")
    if strange := set(caught) - sent:
        said.append(f"mails nobody knows of: {len(strange)}")
    hooked = {id_ for id_, _body in town.hooked()}
    if missing := set(dump["hooks"]) - hooked:
        said.append(f"webhooks lost: {len(missing)}")
    rows = town.control("money?by=invoice")["rows"]
    charged = sum(row["net"] for row in rows)
    if charged != dump["money"]:
        said.append(f"the provider has taken {charged}, the books know of {dump['money']}")
    if double := [row["key"] for row in rows if row["charges"] > 1]:
        said.append(f"charged twice: {len(double)}")
    return said


def twice_sent(town_mails: list[tuple[str, str]]) -> int:
    """Mails that came more than once, under one id, as at-least-once allows."""
    return sum(count - 1 for count in Counter(id_ for _to, id_ in town_mails).values())


@dataclass(slots=True)
class Report:
    """Both lives, how they differ, and what was planned."""

    quiet: Outcome
    struck: Outcome
    differing: list[str]
    planned: list[Injection]
    #: Whether every quota must be met, and as many strike as a whole campaign has.
    is_whole: bool = False
    seconds: float = 0.0

    @property
    def missed(self) -> list[str]:
        """Quotas that were not met, in words."""
        told = self.struck.told
        said = [f"{name}: {came} of {wanted}" for name, came, wanted in self._table() if came < wanted]
        if not self.is_whole:
            return said
        if len(told.struck) < FEWEST:
            said.append(f"{len(told.struck)} struck, of at least {FEWEST}")
        if 2 * self._inside() <= len(told.struck):
            said.append(f"only {self._inside()} of {len(told.struck)} struck inside a transaction")
        return said

    @property
    def is_fine(self) -> bool:
        wrong = self.differing or self.struck.wrong or self.quiet.wrong
        return not wrong and not (self.is_whole and self.missed)

    def _inside(self) -> int:
        """Strikes at points at which a transaction is open."""
        return sum(POINTS.get(one.point, False) for one in self.struck.told.struck)

    def _table(self) -> list[tuple[str, int, int]]:
        """Kinds, then named points: their name, how many struck, their quota."""
        struck = self.struck.told.struck
        rows = []
        for told, key in (("", _kind), ("at ", _point)):
            came, wanted = Counter(map(key, struck)), Counter(map(key, self.planned))
            rows += [(told + name, came[name], wanted[name]) for name in sorted(set(came) | set(wanted)) if name]
        return rows

    def lines(self) -> list[str]:
        told = self.struck.told
        said = ["struck  quota"] + [f"{came:>6}  {wanted:>5}  {name}" for name, came, wanted in self._table()]
        said += [f"{len(told.struck)} injections struck, {self._inside()} of them inside a transaction"]
        said += [f"quota missed: {words}" for words in self.missed]
        tables = self.quiet.dump["tables"]
        said += ["end state: " + ", ".join(f"{sum(rows.values())} {name}" for name, rows in tables.items())]
        said += [f"in peace: {words}" for words in self.quiet.wrong]
        said += [f"after faults: {words}" for words in self.struck.wrong]
        said += self.differing[:60]
        stuck = len(told.stuck)
        said += [f"{len(self.differing)} rows differ, {len(self.struck.wrong)} wrong, {stuck} stuck; "
                 f"{self.struck.twice} mails came again under the same id"]  # fmt: skip
        longest = ", ".join(f"{name} {spent:.0f}" for name, spent in told.spent.most_common(12))
        said += [f"seconds by kind: {longest}"]
        said += [f"seconds: {self.quiet.told.seconds:.0f} in peace beside {told.seconds:.0f} struck, "
                 f"{self.seconds:.0f} in all"]  # fmt: skip
        return said


def _kind(one: Injection) -> str:
    return one.kind


def _point(one: Injection) -> str:
    return one.point


def differences(quiet: dict[str, Any], struck: dict[str, Any]) -> list[str]:
    """How the two end states differ, row by row; empty when they are equal."""
    said = []
    for name, rows in quiet["tables"].items():
        other = struck["tables"].get(name, {})
        for row in sorted(set(rows) | set(other)):
            if rows.get(row, 0) != other.get(row, 0):
                said.append(f"{name}: {rows.get(row, 0)} in peace, {other.get(row, 0)} after faults: {row}")
    return said


def run(seed: int, customers: int, months: int, step: int, plan: list[Injection], *, is_whole: bool = False) -> Report:
    """The whole campaign: both lives beside each other, each in a world and a process of its own."""
    begun = time.monotonic()
    template(seed, customers)
    print(f"# the world is made: {time.monotonic() - begun:.0f} s", flush=True)
    calendar = days(months, step)
    planned = plan + [Injection(NIGHT) for night in NIGHTS if date.fromisoformat(night) in calendar]
    here, there = multiprocessing.Pipe(duplex=False)
    peace = multiprocessing.get_context("fork").Process(
        target=_in_peace, args=(there, seed, customers, calendar), daemon=True
    )
    peace.start()
    there.close()
    try:
        struck = life(seed, customers, calendar, plan)
        try:
            quiet = here.recv()
        except EOFError:
            raise RuntimeError("the life in peace broke off") from None
        peace.join()
    finally:
        if peace.is_alive():
            peace.terminate()
            peace.join()
    seconds = time.monotonic() - begun
    return Report(quiet, struck, differences(quiet.dump, struck.dump), planned, is_whole, seconds)


def _in_peace(there: Connection, seed: int, customers: int, calendar: list[date]) -> None:
    there.send(life(seed, customers, calendar, []))
    there.close()
