"""Planted faults: each is put into a copy of the product and must be caught by the injections aimed at it.

The rule that matters: what catches a mutant is the campaign's own judgement, against the unchanged product in peace:
a differing end state, or something lost, double or stuck. Run it: python -m faults.mutants [NAME ...]
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Final

from faults import campaign
from faults.life import days
from faults.plan import Injection
from faults.town import ROOT

SEED, CUSTOMERS = 3, 25
#: The days a mutant lives: a month's end among them, so that dates taken from the previous one go wrong.
MONTHS, STEP = 0.3, 5


@dataclass(frozen=True, slots=True)
class Mutant:
    """`edits`: file, what stands there once, what is planted; `sql` is run on its database; what is aimed at it."""

    name: str
    aimed: tuple[Injection, ...]
    edits: tuple[tuple[str, str, str], ...] = ()
    sql: tuple[str, ...] = ()
    calendar: tuple[date, ...] = field(default_factory=tuple)


def _kill(*points: str) -> tuple[Injection, ...]:
    return tuple(Injection("kill", point) for point in points)


MUTANTS: Final = (
    Mutant(
        "exclusion constraint dropped",
        (Injection("days_twice"),),
        sql=("ALTER TABLE billing_billeddays DROP CONSTRAINT billed_days_never_overlap",),
    ),
    Mutant(
        "time-out as failure",
        (Injection("provider_mute"),),
        edits=(
            (
                "billing/services/sending.py",
                'return Answer(Outcome.UNKNOWN, detail=f"{type(error).__name__}: {error}"[:300])',
                'return Answer(Outcome.DECLINED, detail=f"{type(error).__name__}: {error}"[:300])',
            ),
            (
                "billing/gateways/stripe.py",
                "Outcome.UNKNOWN",
                "Outcome.DECLINED",
            ),
        ),
    ),
    Mutant(
        "sequence for numbers",
        _kill("billing.numbered", "billing.written"),
        edits=(
            (
                "core/services/numbering.py",
                "        last, last_on = cursor.fetchone()\n",
                "        last, last_on = cursor.fetchone()\n"
                "        cursor.execute(\"SELECT nextval(('mutant_' || %s)::regclass) FROM generate_series(1, %s)\", "
                "[series, count])\n"
                "        last = cursor.fetchall()[-1][0]\n"
                '        cursor.execute("UPDATE core_numberseries SET last_number = %s WHERE series = %s", '
                "[last, series])\n",
            ),
        ),
        sql=(
            "CREATE SEQUENCE mutant_invoice",
            "CREATE SEQUENCE mutant_credit_note",
            "SELECT setval('mutant_invoice', greatest(max(last_number), 1), max(last_number) IS NOT NULL) "
            "FROM core_numberseries WHERE series = 'invoice'",
        ),
    ),
    Mutant(
        "acknowledge before commit",
        _kill("mail.composed"),
        edits=(
            (
                "core/services/outbox.py",
                "        try:\n            _handlers[row.kind](row)\n",
                "        Outbox.objects.filter(pk=row.pk).update(state=Outbox.State.DONE, done_at=clock.machine_now(), "
                "lease_until=None)\n        try:\n            _handlers[row.kind](row)\n",
            ),
        ),
    ),
    Mutant(
        "no dedupe",
        _kill("outbox.effected", "outbox.effected"),
        edits=(
            (
                "billing/services/mailing.py",
                '        if "message" in held.payload:\n            return\n',
                "",
            ),
        ),
    ),
    Mutant(
        ".delay() for the outbox",
        _kill("reminder.written", "outbox.effected", "outbox.effected"),
        edits=(
            (
                "customers/services/messages.py",
                "        Outbox.objects.bulk_create(\n",
                "        from core.services.outbox import _handlers\n"
                "        from threading import Timer\n"
                "        transaction.on_commit(lambda: [Timer(5, _handlers['mail'], [Outbox(company_id=company.pk, "
                "kind='mail', payload={'message': message.pk})]).start() for message in made])\n"
                "        (lambda rows, batch_size: rows)(\n",
            ),
        ),
    ),
    Mutant(
        "late acknowledgement without a claim",
        (Injection("two_relays"),),
        edits=(
            (
                "core/services/outbox.py",
                "update(lease_until=at + LEASE, lease_by=worker)",
                "update(lease_by=worker)",
            ),
            (
                "core/services/outbox.py",
                "        if not _still_ours(row, worker):\n            continue\n",
                "",
            ),
            (
                "core/services/outbox.py",
                "Outbox.objects.select_for_update(skip_locked=True).filter(",
                "Outbox.objects.filter(",
            ),
        ),
    ),
    Mutant(
        "lock removed",
        (Injection("three_payers"), Injection("three_payers")),
        edits=(
            (
                "billing/services/receivables.py",
                "found = Customer.objects.select_for_update(no_key=True).filter(company=company",
                "found = Customer.objects.filter(company=company",
            ),
        ),
        calendar=(date(2025, 1, 1), date(2025, 1, 8), date(2025, 1, 12), date(2025, 1, 20)),
    ),
    Mutant(
        "month from the previous date",
        (Injection("three_beats"),),
        edits=(
            (
                "pricing/periods.py",
                "    return add_months(anchor.on, n * _MONTHS[interval.unit] * interval.count, anchor.day)\n",
                "    on = anchor.on\n    for _ in range(max(n, 0)):\n"
                "        on = add_months(on, _MONTHS[interval.unit] * interval.count)\n"
                "    return on if n >= 0 else add_months(anchor.on, n * _MONTHS[interval.unit] * interval.count, "
                "anchor.day)\n",
            ),
        ),
        calendar=(date(2025, 1, 30), date(2025, 1, 31), date(2025, 3, 1), date(2025, 4, 2)),
    ),
)


def plant(mutant: Mutant, folder: Path) -> None:
    """Copies the product and changes it. Raises LookupError when what is to be changed does not stand there."""
    kept = subprocess.run(
        ["git", "ls-files", "-z"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    for name in filter(None, kept.stdout.split("\0")):
        if name.startswith(("tests/", "docs/")) or not (ROOT / name).exists():
            continue
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    for name, old, new in mutant.edits:
        text = (folder / name).read_text()
        if old not in text:
            raise LookupError(f"{mutant.name}: {name} does not say {old!r}")
        (folder / name).write_text(text.replace(old, new))


def caught(mutant: Mutant) -> tuple[list[str], float]:
    """What gave the mutant away, nothing if it lived on; seconds it took."""
    begun = time.monotonic()
    calendar = list(mutant.calendar) or days(MONTHS, STEP)
    quiet = _peace(tuple(calendar))
    with tempfile.TemporaryDirectory(prefix="turnus-mutant-", dir="/tmp") as folder:
        plant(mutant, Path(folder))
        told: list[str]
        try:
            struck = campaign.life(
                SEED, CUSTOMERS, calendar, list(mutant.aimed), code=Path(folder), sql=mutant.sql, is_narrow=True
            )
        except RuntimeError as error:
            told = [f"it does not live: {str(error)[-300:]}"]
        else:
            if struck.told.unmet:
                names = ", ".join(one.name for one in struck.told.unmet)
                print(f"# {mutant.name}: {names} met nothing", flush=True)
            told = [*struck.wrong, *campaign.differences(quiet.dump, struck.dump)]
    return told, time.monotonic() - begun


_lived: dict[tuple[date, ...], campaign.Outcome] = {}


def _peace(calendar: tuple[date, ...]) -> campaign.Outcome:
    """The unchanged product in peace, once for each calendar."""
    if calendar not in _lived:
        _lived[calendar] = campaign.life(SEED, CUSTOMERS, list(calendar), [])
    return _lived[calendar]


#: The unchanged product under the same strikes: it must not be caught.
NOTHING: Final = Mutant("nothing planted", tuple(one for mutant in MUTANTS for one in mutant.aimed))


def main(names: Sequence[str]) -> int:
    count = 0
    chosen = [one for one in MUTANTS if not names or any(name in one.name for name in names)]
    for mutant in chosen:
        told, seconds = caught(mutant)
        count += bool(told)
        print(f"{'caught' if told else 'ALIVE '}  {seconds:4.0f} s  {mutant.name}", flush=True)
        for line in told[:3]:
            print(f"          {line[:200]}", flush=True)
    print(f"{count} of {len(chosen)} caught", flush=True)
    if names and names != ["nothing"]:
        return 0 if count == len(chosen) else 1
    told, seconds = caught(NOTHING)
    print(f"{'CAUGHT' if told else 'alive '}  {seconds:4.0f} s  {NOTHING.name}, all of these strikes")
    for line in told[:10]:
        print(f"          {line[:200]}")
    return 0 if count == len(chosen) and not told else 1


if __name__ == "__main__":
    # Told to stop, it takes its worlds down first.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main(sys.argv[1:]))
