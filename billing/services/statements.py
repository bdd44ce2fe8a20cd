"""Bank statements read in: each booking once, whatever file it comes in, and checked against the balances.

The rule that matters: a line is known by account, day, amount, references, text and its place among its equals of the
day, so that two equal bookings are two, and a file that overlaps adds only what is new. Accounts of others stand
sealed; one that somebody wrote into a text is hidden there.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from django.contrib.postgres.aggregates import ArrayAgg
from django.db import connection, transaction
from django.db.models import CharField, F, Func, Max, Min, Sum, Value
from django.utils.translation import gettext

from billing import bank_formats
from billing.bank_formats.base import MOST_PROBLEMS, Line, Problem, Statement
from billing.gateways.bank_accounts import hidden
from billing.models import BankLine, BankStatement
from billing.services import bank_acts, bank_lines
from core.actors import Actor
from core.design import formats
from core.models import Company
from core.sealing import fingerprint
from core.services import files, trail
from core.texts import checked
from pricing import remittance

#: First half of the advisory lock under which one file of a company is read in at a time; any constant number.
_LOCK: Final = 0x0BA7
CHUNK: Final = 2_000
MEDIA_TYPES: Final = {
    "camt.053": "application/xml", "camt.054": "application/xml", "mt940": "text/plain", "csv": "text/csv",
}  # fmt: skip


@dataclass(slots=True)
class Imported:
    """What came of a file: its statements, how many lines were new or known, what couldn't be read or doesn't add up,
    and how many of the new lines ended in which state."""

    statements: list[BankStatement] = field(default_factory=list)
    new: int = 0
    known: int = 0
    problems: list[Problem] = field(default_factory=list)
    ended: Counter[str] = field(default_factory=Counter)
    #: The outside id of the job that does all this, where the file is large.
    job: str | None = None


def import_statement(
    *,
    company: Company,
    data: bytes,
    name: str,
    by: Actor,
    at: datetime,
    format: str = "",
    columns: Mapping[str, str] | None = None,
    account: str = "",
    currency: str = "",
) -> Imported:
    """Reads a bank's file in, then matches its lines. A file, or lines, seen before add nothing.

    `format`: found by the content unless named; `columns`: of a CSV; `account` and `currency`: of lines that name none
    (the company's). Refuses a file that can't be read (`bank.*`) whole; bad lines of a good one are reported. Never
    inside a transaction; ended between reading in and matching, the same file read in again does the rest.
    """
    checked(name, field="name", limit=200)
    kind, found = bank_formats.read(data, format=format, columns=columns, currency=currency or company.currency)
    return import_read(company=company, kind=kind, found=found, data=data, name=name, account=account, by=by, at=at)


def import_read(
    *,
    company: Company,
    kind: str,
    found: Sequence[Statement],
    data: bytes,
    name: str,
    account: str,
    told: Callable[[int, int], None] = lambda done, total: None,
    by: Actor,
    at: datetime,
) -> Imported:
    """The same for a file that was read already; `told(done, total)` hears how many lines were judged."""
    found = _once(found)
    result = Imported()
    for statement in found:
        result.problems += [*map(_hidden, statement.problems), *_sum_problem(statement)]
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [_LOCK, company.pk % 2**31])
        ids = _write(company, kind, found, data, name, account or company.iban, result, by=by, at=at)
    result.ended = bank_lines.match(company=company, line_ids=ids, by=bank_lines.SYSTEM, at=at, told=told)
    return result


def _once(found: Sequence[Statement]) -> list[Statement]:
    """Statements without those that stand in the file twice."""
    seen: set[tuple[Any, ...]] = set()
    kept = []
    for statement in found:
        key = (statement.account, statement.number, statement.opening_minor, statement.closing_minor, statement.lines)
        if statement.closing_minor is None or key not in seen:
            kept.append(statement)
        seen.add(key)
    return kept


def _write(
    company: Company, kind: str, found: Sequence[Statement], data: bytes, name: str, account: str, result: Imported,
    *, by: Actor, at: datetime,
) -> list[int]:  # fmt: skip
    """Writes statements and new lines; ids of all the file's lines, the known ones too. Called under the lock."""
    file = files.store(company_id=company.pk, name=name or kind, media_type=MEDIA_TYPES[kind], content=data)
    marked = [list(zip(statement.lines, marks, strict=True)) for statement, marks in _marks(found, account)]
    marks = [mark for rows in marked for _, mark in rows]
    known: dict[str, int] = {}
    for start in range(0, len(marks), CHUNK):
        there = BankLine.objects.filter(company=company, fingerprint__in=marks[start : start + CHUNK])
        known.update(there.values_list("fingerprint", "pk"))
    result.known = len(known)
    result.new = len(marks) - len(known)
    earlier = BankStatement.objects.filter(company=company, file__sha256=file.sha256).order_by("pk")
    if not result.new and (again := list(earlier)):
        result.statements = again
        return sorted(known.values())
    ids = sorted(known.values())
    for statement, rows in zip(found, marked, strict=True):
        result.problems += _gap_problem(company, statement)
        new = [(line, mark) for line, mark in rows if mark not in known]
        row = BankStatement.objects.create(
            company=company, file=file, format=kind, number=statement.number[:40],
            iban_end=(statement.account or account)[-4:], currency=statement.currency,
            opening_minor=statement.opening_minor, closing_minor=statement.closing_minor, from_on=statement.from_on,
            until_on=statement.until_on, line_count=len(rows), new_count=len(new), imported_by=by.label[:120],
            imported_at=at,
        )  # fmt: skip
        made = BankLine.objects.bulk_create([_row(row, line, mark) for line, mark in new], batch_size=CHUNK)
        ids += [line.pk for line in made]
        result.statements.append(row)
        _tell(row, result.problems, by=by, at=at)
    _count_once(company, ids)
    return ids


def _hidden(problem: Problem) -> Problem:
    """The same without accounts: a cell that can't be read may be that of another column."""
    params = {name: hidden(said) if isinstance(said, str) else said for name, said in problem.params.items()}
    return Problem(hidden(problem.place), problem.code, params)


def _row(statement: BankStatement, line: Line, mark: str) -> BankLine:
    return BankLine(
        company_id=statement.company_id, statement=statement, fingerprint=mark, booked_on=line.booked_on,
        value_on=line.value_on, currency=line.currency, amount_minor=line.amount_minor, name=hidden(line.name),
        iban=line.iban, iban_fingerprint=fingerprint(line.iban) if line.iban else "", text=hidden(line.text),
        end_to_end_id=hidden(line.end_to_end_id), mandate_reference=hidden(line.mandate_reference),
        bank_reference=hidden(line.bank_reference), return_code=line.return_code, fee_minor=line.fee_minor,
    )  # fmt: skip


def _marks(found: Sequence[Statement], account: str) -> list[tuple[Statement, list[str]]]:
    """The fingerprints of the lines, statement by statement; equals of one day are counted over the file."""
    seen: Counter[str] = Counter()
    result = []
    for statement in found:
        marks = []
        for line in statement.lines:
            basis = "\x1f".join(
                (
                    (statement.account or account).replace(" ", ""), line.booked_on.isoformat(), line.currency,
                    str(line.amount_minor), line.end_to_end_id, line.mandate_reference, line.bank_reference, line.iban,
                    remittance.folded(line.text)[:140],
                )
            )  # fmt: skip
            seen[basis] += 1
            marks.append(hashlib.sha256(f"{basis}\x1f{seen[basis]}".encode()).hexdigest())
        result.append((statement, marks))
    return result


def _count_once(company: Company, ids: Sequence[int]) -> None:
    """A batch that one file books as a sum and another in its parts counts once.

    The sum is set aside, or its parts where something was done with the sum already.
    """
    mine = BankLine.objects.filter(company=company, pk__in=ids).exclude(bank_reference="")
    days = mine.aggregate(first=Min("booked_on"), last=Max("booked_on"))
    if days["first"] is None:
        return
    near = BankLine.objects.filter(company=company, booked_on__range=(days["first"], days["last"]))
    head = Func(F("bank_reference"), Value("/"), Value(1), function="split_part", output_field=CharField())
    parts: Any = (
        near.filter(bank_reference__contains="/")
        .annotate(head=head)
        .values("booked_on", "currency", "head")
        .annotate(total=Sum("amount_minor"), ids=ArrayAgg("pk"))
    )
    batches = {(row["booked_on"], row["currency"], row["head"]): (int(row["total"]), row["ids"]) for row in parts}
    if not batches:
        return
    aside: list[int] = []
    sums = near.filter(bank_reference__in={key[2] for key in batches}).order_by("pk")
    for row in sums.only("pk", "booked_on", "currency", "bank_reference", "amount_minor", "state"):
        total, of_parts = batches.get((row.booked_on, row.currency, row.bank_reference), (0, []))
        if total == row.amount_minor:
            aside += of_parts if row.state == BankLine.State.MATCHED else [row.pk]
    BankLine.objects.filter(pk__in=aside, state__in=bank_acts.UNSETTLED).update(
        state=BankLine.State.IGNORED, settled_by=bank_lines.SYSTEM.label, note=gettext("counted with its batch")
    )


def _sum_problem(statement: Statement) -> list[Problem]:
    """Balances that differ by something else than the lines."""
    if statement.opening_minor is None or statement.closing_minor is None:
        return []
    total = sum(line.amount_minor for line in statement.lines)
    difference = statement.closing_minor - statement.opening_minor
    if total == difference:
        return []
    shown = {"sum": total, "difference": difference}
    return [
        Problem(
            statement.number, "bank.sum",
            {name: formats.money(minor, statement.currency) for name, minor in shown.items()},
        )
    ]  # fmt: skip


def _gap_problem(company: Company, statement: Statement) -> list[Problem]:
    """The last statement before this one that ended with another balance than this one begins with."""
    if statement.opening_minor is None or statement.from_on is None:
        return []
    before = _with_balances(company).filter(
        iban_end=statement.account[-4:], currency=statement.currency, until_on__lte=statement.from_on
    )
    last = list(before.order_by("-until_on", "-pk")[:20])
    same_day = [row for row in last if row.until_on == last[0].until_on]
    if not last or any(row.closing_minor == statement.opening_minor for row in same_day):
        return []
    shown = {"opening": statement.opening_minor, "closing": int(last[0].closing_minor or 0)}
    return [
        Problem(
            statement.number, "bank.gap",
            {name: formats.money(minor, statement.currency) for name, minor in shown.items()},
        )
    ]  # fmt: skip


def gaps(company: Company) -> list[tuple[BankStatement, BankStatement]]:
    """Neighbours of which the later one doesn't begin with the balance the earlier one ended with, as of now."""
    found: list[tuple[BankStatement, BankStatement]] = []
    runs: dict[tuple[str, str], list[BankStatement]] = defaultdict(list)
    for row in _with_balances(company).order_by("from_on", "until_on", "pk"):
        runs[row.iban_end, row.currency].append(row)
    for rows in runs.values():
        for place, row in enumerate(rows[1:], 1):
            before = rows[:place]
            joins = any(one.closing_minor == row.opening_minor and one.until_on <= row.from_on for one in before
                        if one.until_on is not None and row.from_on is not None)  # fmt: skip
            begins = any(one.from_on == row.from_on and one.opening_minor == row.opening_minor for one in before)
            if not joins and not begins:
                found.append((rows[place - 1], row))
    return found


def _with_balances(company: Company) -> Any:
    return BankStatement.objects.filter(
        company=company, opening_minor__isnull=False, closing_minor__isnull=False, from_on__isnull=False,
        until_on__isnull=False,
    )  # fmt: skip


def _tell(row: BankStatement, problems: Sequence[Problem], *, by: Actor, at: datetime) -> None:
    facts: dict[str, Any] = {
        "format": row.format, "number": row.number, "lines": row.line_count, "new": row.new_count,
        "problems": len(problems),
    }  # fmt: skip
    common: dict[str, Any] = {
        "company_id": row.company_id, "at": at, "subject_kind": "bank_statement", "subject_id": row.pk,
    }  # fmt: skip
    told = [[problem.place, problem.code, problem.params] for problem in problems[:MOST_PROBLEMS]]
    trail.audit(by=by, verb="bank_statement.import", facts={**facts, "told": told}, **common)
    trail.emit(type="bank_statement.imported", data={"id": row.ref, **facts}, **common)
