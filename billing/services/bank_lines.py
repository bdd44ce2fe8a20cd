"""Bank lines: what is certain is carried out, the rest confirmed, chosen or set aside by a person, and taken back.

The rule that matters: a line does one thing once, with its row locked before anything else; what it did stands in its
first suggestion. Money of which nobody says whose it is stays an open line.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from django.db import IntegrityError, connection, transaction
from django.db.backends.postgresql.psycopg_any import Jsonb
from django.db.models import Count, Sum
from django.utils.translation import gettext_lazy as _

from billing.models import Attempt, BankLine, BankStatement, DebitBatch, Gateway, Invoice, Payment, Refund
from billing.services import bank_acts, matching, payments, receivables
from billing.services.bank_acts import UNSETTLED
from billing.services.matching import Suggestion
from core.actors import Actor
from core.models import Company
from core.refusal import Refused
from core.services import ticks
from core.texts import checked
from customers.models import Customer

log = structlog.get_logger(__name__)
State = BankLine.State
SYSTEM = Actor.system("Bank statements")
#: Lines that are judged together, and after how many somebody who waits hears of it.
CHUNK: Final = 1_000
TOLD: Final = 50
#: How often open lines are looked at again, the newest first, and how many at most.
EVERY: Final = timedelta(hours=6)
AT_ONCE: Final = 5_000
#: What can be taken back: our own entries and links, not what others acted upon.
_UNDONE: Final = frozenset({"invoices", "customer", "unknown", "payment", "payout", "fee"})


def match(
    *,
    company: Company,
    line_ids: Iterable[int],
    by: Actor = SYSTEM,
    at: datetime,
    told: Callable[[int, int], None] = lambda done, total: None,
) -> Counter[str]:
    """Judges lines that nothing was done with, carries out what is certain, and keeps the other suggestions.

    How many ended in which state; `told(done, total)` hears after each fifty. What a person took back stays for a
    person. Never inside a transaction; ended in the middle, the next time does the rest.
    """
    ended: Counter[str] = Counter()
    ids, done_count = sorted(line_ids), 0
    told(0, len(ids))
    for start in range(0, len(ids), CHUNK):
        rows = BankLine.objects.filter(company=company, pk__in=ids[start : start + CHUNK], state__in=UNSETTLED)
        lines = list(rows.order_by("booked_on", "pk"))
        found = matching.suggest(company, lines)
        sure = keep(lines, found)
        for line in lines:
            chosen = sure.get(line.pk)
            done = chosen is not None and _carry_out_certain(line, chosen, by=by, at=at)
            ended[State.MATCHED if done else line.state] += 1
            done_count += 1
            if done_count % TOLD == 0:
                told(done_count, len(ids))
        told(min(start + CHUNK, len(ids)), len(ids))
    return ended


def keep(lines: Sequence[BankLine], found: dict[int, list[Suggestion]]) -> dict[int, Suggestion]:
    """Keeps the suggestions of lines, in one statement; those that are certain, by line id."""
    sure: dict[int, Suggestion] = {}
    moved = []
    for line in lines:
        suggested = found.get(line.pk, [])
        kept = [one.as_json() for one in suggested]
        state = State.SUGGESTED if kept else State.OPEN
        if (line.suggestions, line.state) != (kept, state):
            line.suggestions, line.state = kept, state
            moved.append(line)
        chosen = matching.certain(suggested)
        if chosen is not None and not line.settled_by:
            sure[line.pk] = chosen
    if moved:
        _write_suggestions(moved)
    return sure


def _write_suggestions(lines: Sequence[BankLine]) -> None:
    """In one statement, and only where nobody has settled the line meanwhile."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE billing_bankline AS l SET suggestions = n.suggestions, state = n.state "
            "FROM unnest(%s::bigint[], %s::jsonb[], %s::text[]) AS n(id, suggestions, state) "
            "WHERE l.id = n.id AND l.state IN ('open', 'suggested')",
            [
                [line.pk for line in lines],
                [Jsonb(line.suggestions) for line in lines],
                [str(line.state) for line in lines],
            ],
        )


def _carry_out_certain(line: BankLine, chosen: Suggestion, *, by: Actor, at: datetime) -> bool:
    try:
        _settle(line, chosen, by=by, at=at)
    except (Refused, IntegrityError) as error:
        # Somebody was quicker, or the books are closed: a person looks at it.
        log.info("bank_line_not_matched", line=line.pk, why=type(error).__name__)
        return False
    return True


def confirm(*, line: BankLine, suggestion: dict[str, Any] | Suggestion, by: Actor, at: datetime) -> BankLine:
    """Carries out a suggestion that stands with the line. Repeated: nothing happens.

    Refuses `bank_line.choice` when it is no longer suggested, `bank_line.settled` when the line did something else, and
    what the acts themselves refuse.
    """
    chosen = suggestion if isinstance(suggestion, Suggestion) else matching.of_json(suggestion)
    line.refresh_from_db(fields=["suggestions", "state"])
    standing = [matching.of_json(kept) for kept in line.suggestions]
    same = next((one for one in standing if one.what == chosen.what), None)
    if same is None:
        raise Refused("bank_line.choice")
    return _settle(line, same, by=by, at=at)


def choose(
    *,
    line: BankLine,
    customer: Customer | None = None,
    invoices: Sequence[Invoice] = (),
    payment: Payment | None = None,
    refund: Refund | None = None,
    attempt: Attempt | None = None,
    batch: DebitBatch | None = None,
    payout_of: Gateway | None = None,
    is_fee: bool = False,
    is_unknown: bool = False,
    by: Actor,
    at: datetime,
) -> BankLine:
    """A person says what the line is; one of these. Repeated with the same: nothing happens.

    Money in: invoices of one customer, a customer (the oldest due), a payment recorded already, a debit or a file of
    ours, or received of somebody unknown (`is_unknown`: an unallocated payment). Money out: a refund, a debit that came
    back. Either way: a provider's payout, a fee of the bank.
    """
    owner = customer or (invoices[0].customer if invoices else None)
    if owner is not None and any(one.customer_id != owner.pk for one in invoices):
        raise Refused("payment.other_customer", field="invoices")
    wanted: list[Suggestion] = []
    if owner is not None:
        ids = tuple(one.pk for one in invoices)
        wanted.append(Suggestion("invoices" if ids else "customer", 100, (), owner.pk, ids))
    if payment is not None:
        wanted.append(Suggestion("payment", 100, (), payment.customer_id, id=payment.pk))
    if refund is not None:
        wanted.append(Suggestion("refund", 100, (), refund.customer_id, id=refund.pk))
    if attempt is not None:
        kind = "debit" if line.amount_minor > 0 else "return"
        wanted.append(Suggestion(kind, 100, (), attempt.customer_id, (attempt.invoice_id,), attempt.pk))
    if batch is not None:
        wanted.append(Suggestion("batch", 100, (), id=batch.pk))
    if payout_of is not None:
        wanted.append(Suggestion("payout", 100, (), id=payout_of.pk))
    wanted += [Suggestion("fee", 100, ())] * is_fee + [Suggestion("unknown", 100, ())] * is_unknown
    if len(wanted) != 1:
        raise Refused("bank_line.choice")
    return _settle(line, wanted[0], by=by, at=at)


def set_aside(*, line: BankLine, reason: str, by: Actor, at: datetime) -> BankLine:
    """The line concerns nobody here, such as salaries or rent. Needs a reason. Repeated: nothing happens."""
    receivables.reasoned(checked(reason, field="reason", limit=300))
    with transaction.atomic():
        held = _lock(line)
        if held.state == State.IGNORED:
            return held
        _check_unsettled(held)
        held.state, held.note, held.settled_by = State.IGNORED, reason, by.label[:120]
        held.save(update_fields=["state", "note", "settled_by"])
        _tell(held, "set_aside", "set_aside", by=by, at=at, reason=reason)
    return held


def undo(*, line: BankLine, reason: str, by: Actor, at: datetime) -> BankLine:
    """Takes back what the line did: its payment is gone again, its entry booked back, its link cut. Then it is open,
    and only a person settles it again. Repeated: nothing happens.

    Refuses `bank_line.final` for returns, debits and refunds, and what `payments.take_back` does.
    """
    receivables.reasoned(checked(reason, field="reason", limit=300))
    with transaction.atomic():
        held = _lock(line)
        if held.state in UNSETTLED:
            return held
        kind = held.suggestions[0]["kind"] if held.state == State.MATCHED and held.suggestions else ""
        if held.state == State.MATCHED:
            if kind not in _UNDONE:
                raise Refused("bank_line.final")
            if kind in ("invoices", "customer", "unknown") and held.payment is not None:
                payments.take_back(
                    payment=held.payment, reason=reason, status=Payment.Status.CANCELED,
                    on=max(held.payment.received_on, held.booked_on), by=by, at=at,
                )  # fmt: skip
            elif kind in ("payout", "fee"):
                bank_acts.book_back(held, kind)
        held.state, held.note, held.settled_by = State.OPEN, reason, by.label[:120]
        held.customer = held.invoice = held.payment = held.refund = None
        held.suggestions = []
        held.save(
            update_fields=["state", "note", "settled_by", "customer", "invoice", "payment", "refund", "suggestions"]
        )
        _tell(held, "undo", "undone", by=by, at=at, reason=reason)
    rows = [BankLine.objects.get(pk=held.pk)]
    keep(rows, matching.suggest(held.company, rows))
    held.refresh_from_db()
    return held


def totals(statement: BankStatement) -> dict[str, tuple[int, int]]:
    """How many of its lines, and minor units in all, by state; the sums add up to the statement's turnover."""
    rows: Any = (
        BankLine.objects.filter(statement=statement).values("state").annotate(n=Count("pk"), sum=Sum("amount_minor"))
    )
    return {row["state"]: (row["n"], int(row["sum"])) for row in rows.order_by("state")}


@ticks.tick(
    "billing.bank", order=36, every=EVERY, title=_("Bank lines"),
    text=_("Looks again at bank lines that nothing was matched with."),
)  # fmt: skip
def bank_tick(company: Company, at: datetime) -> dict[str, Any]:
    """Looks again at lines nothing was done with: invoices, mandates and customers have come since."""
    rows = BankLine.objects.filter(company=company, state__in=UNSETTLED).order_by("-pk")
    ids = list(rows.values_list("pk", flat=True)[:AT_ONCE])
    return dict(match(company=company, line_ids=ids, at=at)) if ids else {}


def _settle(line: BankLine, chosen: Suggestion, *, by: Actor, at: datetime) -> BankLine:
    if chosen.kind == "batch":
        bank_acts.settle_batch(line, chosen, by=by, at=at)
    with transaction.atomic():
        held = _lock(line)
        if held.state == State.MATCHED and held.suggestions:
            if matching.of_json(held.suggestions[0]).what == chosen.what:
                return held
            raise Refused("bank_line.settled", state=held.get_state_display())
        _check_unsettled(held)
        bank_acts.ACTS[chosen.kind](held, chosen, by, at)
        held.customer_id = held.customer_id or chosen.customer_id
        if held.invoice_id is None and chosen.invoice_ids:
            held.invoice_id = chosen.invoice_ids[0]
        held.state, held.settled_by = State.MATCHED, by.label[:120]
        held.suggestions, held.note = [chosen.as_json()], ""
        held.save(
            update_fields=["customer", "invoice", "payment", "refund", "state", "settled_by", "suggestions", "note"]
        )
        _tell(held, "match", "matched", by=by, at=at)
    return held


def _lock(line: BankLine) -> BankLine:
    """The line as it is now. It is locked before customers and money; nobody else locks lines."""
    return BankLine.objects.select_for_update(of=("self",)).select_related("company", "payment").get(pk=line.pk)


def _check_unsettled(line: BankLine) -> None:
    if line.state not in UNSETTLED:
        raise Refused("bank_line.settled", state=line.get_state_display())


def _tell(line: BankLine, verb: str, past: str, *, by: Actor, at: datetime, reason: str = "") -> None:
    facts: dict[str, Any] = {
        "state": line.state, "amount_minor": line.amount_minor, "currency": line.currency,
        "booked_on": line.booked_on.isoformat(), "kind": line.suggestions[0]["kind"] if line.suggestions else "",
        "percent": line.suggestions[0]["percent"] if line.suggestions else None,
        "payment": line.payment_id, "refund": line.refund_id,
    }  # fmt: skip
    data = {
        "id": line.ref, "customer": line.customer.ref if line.customer is not None else None,
        "payment": line.payment.ref if line.payment is not None else None,
        **{name: facts[name] for name in ("state", "amount_minor", "currency", "booked_on", "kind")},
    }  # fmt: skip
    receivables.tell(
        line.company, f"bank_line.{verb}", f"bank_line.{past}", "bank_line", line.pk, line.customer_id, data, facts,
        by=by, at=at, reason=reason,
    )  # fmt: skip
