"""Takes a checked list over, in chunks; a dry run is the same run, taken back.

The rule that matters: a line comes in whole or not at all, and never twice: what its external id knows is left alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date, datetime
from typing import Any

from django.db import DatabaseError, connection, transaction
from django.db.models import Count, Q, Sum

from core.actors import Actor
from core.models import Company
from core.refusal import Refused
from core.services import files, trail
from customers.models import Customer
from customers.services import customers
from subscriptions.models import Import, ImportLine, Slot, Subscription
from subscriptions.services import starting
from subscriptions.services.importing import mapping as mappings
from subscriptions.services.importing import offering, reading, values
from subscriptions.services.importing.checking import Checker, Line, Problem

CHUNK = 500
#: First half of the advisory lock that lets one import of a company work at a time; any constant number.
_LOCK = 0x1247
Told = Callable[[int, int], None]


@dataclass(slots=True)
class Outcome:
    """What came of an import, or would come of it. Amounts in minor units, by currency."""

    lines: int = 0
    done: int = 0
    known: int = 0
    failed: int = 0
    customers: int = 0
    subscriptions: int = 0
    ended: int = 0
    mrr_minor: dict[str, int] = field(default_factory=dict)
    unused_columns: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    source: Import | None = None

    def as_json(self, *, most_problems: int = 1000) -> dict[str, Any]:
        """For a job's page: the counts, and the first problems."""
        plain = {
            name: getattr(self, name)
            for name in (
                "lines",
                "done",
                "known",
                "failed",
                "customers",
                "subscriptions",
                "ended",
                "mrr_minor",
                "unused_columns",
            )
        }
        plain["problems"] = [asdict(problem) for problem in self.problems[:most_problems]]
        plain["import"] = self.source.ref if self.source is not None else None
        return plain


def take_turns(company_id: int) -> None:
    """Waits until no other import of the company is writing; holds to the end of the transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [_LOCK, company_id % 2**31])


class _TakenBack(Exception):
    """Ends a dry run."""


def check(
    *,
    company: Company,
    content: bytes,
    file_name: str,
    mapping: Mapping[str, Any],
    on: date,
    with_history: bool = False,
    by: Actor,
    at: datetime,
    told: Told | None = None,
) -> Outcome:
    """A dry run: what `run` would do, to the last row, then taken back. Nothing is changed."""
    outcome = Outcome()
    try:
        with transaction.atomic():
            outcome = run(
                company=company,
                content=content,
                file_name=file_name,
                mapping=mapping,
                on=on,
                with_history=with_history,
                by=by,
                at=at,
                told=told,
                keeps_file=False,
            )
            raise _TakenBack
    except _TakenBack:
        outcome.source = None
    return outcome


def run(
    *,
    company: Company,
    content: bytes,
    file_name: str,
    mapping: Mapping[str, Any],
    on: date,
    with_history: bool = False,
    by: Actor,
    at: datetime,
    told: Told | None = None,
    resumes: Import | None = None,
    begun: Callable[[Import], None] | None = None,
    keeps_file: bool = True,
) -> Outcome:
    """Takes the list over as of `on`. `mapping` as plain values (see `mapping.from_toml`).

    Refuses a file or a mapping that can't be read as a whole, before anything is written. Bad lines are noted on the
    import with all their problems, the others come in. `resumes` goes on with an import that stopped half-way;
    `begun` hears of the import's row as soon as it stands.
    """
    plan = mappings.parse(mapping)
    table = reading.read(content, delimiter=plan.delimiter, sheet=plan.sheet)
    unused = plan.check_columns(table.columns)
    history = with_history or plan.history
    if history and "billed_through" in plan.subscription:
        raise Refused("import.history_and_billed_through", field="subscription.billed_through")
    with transaction.atomic():
        catalog = offering.prepare(company=company, mapping=plan, on=on, by=by, at=at)
        source = resumes or _begin(company, content, file_name, mapping, on, history, by, keeps_file)
    if begun is not None:
        begun(source)
    checker = Checker(company, plan, catalog, len(table.columns), on, at, history)
    through = set(ImportLine.objects.filter(source=source).values_list("number", flat=True))
    passed = 0
    for start in range(0, len(table.rows), CHUNK):
        rows = table.rows[start : start + CHUNK]
        checks = [(row.number, checker.check(row)) for row in rows]
        todo = [entry for entry in checks if entry[0] not in through]
        if todo:
            with transaction.atomic():
                _Chunk(company, source, on, by, at).take(todo)
        passed += len(rows)
        if told is not None:
            told(passed, len(table.rows))
    return _finish(source, len(table.rows), unused, by=by, at=at)


def _begin(
    company: Company,
    content: bytes,
    file_name: str,
    mapping: Mapping[str, Any],
    on: date,
    history: bool,
    by: Actor,
    keeps_file: bool,
) -> Import:
    stored = None
    if keeps_file:
        stored = files.store(
            company_id=company.pk, name=file_name, media_type=reading.media_type(content), content=content
        )
    return Import.objects.create(
        company=company,
        file_name=file_name[:200],
        file_sha256=hashlib.sha256(content).hexdigest(),
        file=stored,
        mapping=dict(mapping),
        on=on,
        with_history=history,
        state=Import.State.RUNNING,
        by_id=by.user_id,
    )


def _finish(source: Import, lines: int, unused: list[str], *, by: Actor, at: datetime) -> Outcome:
    rows = ImportLine.objects.filter(source=source)
    counts = rows.aggregate(
        done=Count("id", filter=Q(state=ImportLine.State.DONE)),
        known=Count("id", filter=Q(state=ImportLine.State.KNOWN)),
        failed=Count("id", filter=Q(state=ImportLine.State.FAILED)),
        customers=Count("id", filter=Q(made_customer=True)),
    )
    made = Subscription.objects.filter(pk__in=rows.filter(state=ImportLine.State.DONE).values("subscription_id"))
    ended = made.filter(state__in=[Subscription.State.CANCELED, Subscription.State.EXPIRED]).count()
    worth = Slot.objects.filter(subscription__in=made).values_list("subscription__currency")
    mrr = dict(worth.annotate(total=Sum("mrr_minor")).order_by("subscription__currency"))
    source.line_count = lines
    source.done_count, source.known_count, source.failed_count = (
        counts["done"],
        counts["known"],
        counts["failed"],
    )
    with transaction.atomic():
        take_turns(source.company_id)
        if Import.objects.filter(pk=source.pk, state=Import.State.UNDONE).exists():
            raise Refused("import.undone")
        source.state = Import.State.DONE
        source.save()
        facts = {name: counts[name] for name in ("done", "known", "failed", "customers")} | {"lines": lines}
        trail.audit(
            company_id=source.company_id,
            at=at,
            by=by,
            verb="import.run",
            subject_kind="import",
            subject_id=source.pk,
            facts={**facts, "on": source.on.isoformat(), "sha256": source.file_sha256},
        )
        trail.emit(
            company_id=source.company_id,
            type="import.done",
            at=at,
            subject_kind="import",
            subject_id=source.pk,
            data={"id": source.ref, **facts},
        )
    problems = [
        Problem(line=number, **problem)
        for number, found in rows.filter(state=ImportLine.State.FAILED)
        .order_by("number")
        .values_list("number", "problems")
        for problem in found
    ]
    return Outcome(
        lines=lines,
        **counts,
        subscriptions=counts["done"],
        ended=ended,
        mrr_minor=mrr,
        unused_columns=unused,
        problems=problems,
        source=source,
    )


@dataclass(slots=True)
class _Chunk:
    """Some lines, written together; when the whole is refused, one by one, so that a bad one stops nobody."""

    company: Company
    source: Import
    on: date
    by: Actor
    at: datetime

    def take(self, checks: Sequence[tuple[int, Line | list[Problem]]]) -> None:
        take_turns(self.company.pk)
        if Import.objects.filter(pk=self.source.pk, state=Import.State.UNDONE).exists():
            raise Refused("import.undone")
        lines = [entry for _, entry in checks if isinstance(entry, Line)]
        there = self._known(lines)
        notes = [
            self._note(number, ImportLine.State.FAILED, problems=[problem.as_json() for problem in entry])
            for number, entry in checks
            if not isinstance(entry, Line)
        ]
        fresh = []
        for line in lines:
            found = there.get(line.subscription_id)
            if found is None:
                fresh.append(line)
            else:
                notes.append(self._note(line.number, ImportLine.State.KNOWN, customer_id=found))
        notes += self._write(fresh)
        ImportLine.objects.bulk_create(notes)

    def _known(self, lines: Sequence[Line]) -> dict[str, int]:
        """Customer by external id, of the subscriptions that are there already."""
        rows = Subscription.objects.filter(
            company=self.company, external_id__in=[line.subscription_id for line in lines]
        )
        return dict(rows.values_list("external_id", "customer_id"))

    def _write(self, lines: Sequence[Line]) -> list[ImportLine]:
        if not lines:
            return []
        try:
            with transaction.atomic():
                return self._write_together(lines)
        except (Refused, DatabaseError) as error:
            if len(lines) > 1:
                # By halves: a few bad lines among many cost a few more statements, not one for each line.
                middle = len(lines) // 2
                return self._write(lines[:middle]) + self._write(lines[middle:])
            return [self._refused(lines[0], error)]

    def _write_together(self, lines: Sequence[Line]) -> list[ImportLine]:
        wanted = {line.customer_id: line.customer for line in reversed(lines)}
        there = {
            customer.external_id: customer
            for customer in Customer.objects.filter(company=self.company, external_id__in=wanted)
        }
        for external_id, customer in there.items():
            if customer.name != wanted[external_id].name:
                raise Refused(
                    "import.customer_other",
                    field="customer.external_id",
                    value=values.shown(external_id),
                    name=customer.name,
                )
        new = [line.customer for line in lines if wanted[line.customer_id] is line.customer]
        new = [spec for spec in new if spec.fields["external_id"] not in there]
        made = customers.create_many(company=self.company, specs=new, by=self.by, at=self.at)
        for customer in made:
            there[customer.external_id] = customer
        specs = [replace(line.agreement, customer=there[line.customer_id]) for line in lines]
        agreed = starting.agree_many(
            company=self.company, specs=specs, on=self.on, by=self.by, at=self.at, cause="subscription.import"
        )
        makers = {id(spec) for spec in new}
        return [
            self._note(
                line.number,
                ImportLine.State.DONE,
                customer_id=subscription.customer_id,
                made_customer=id(line.customer) in makers,
                subscription_id=subscription.pk,
            )
            for line, subscription in zip(lines, agreed, strict=True)
        ]

    def _refused(self, line: Line, error: Refused | DatabaseError) -> ImportLine:
        if isinstance(error, Refused):
            refused = error
        else:
            reason = str(error).strip().partition("\n")[0]
            refused = Refused("import.stored", reason=values.shown(reason))
        problem = Problem(line.number, refused.field, "", "", refused.code, refused.message)
        return self._note(line.number, ImportLine.State.FAILED, problems=[problem.as_json()])

    def _note(self, number: int, state: ImportLine.State, **more: Any) -> ImportLine:
        return ImportLine(company=self.company, source=self.source, number=number, state=state, **more)
