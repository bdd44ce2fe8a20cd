"""What a bank line may mean: whose money it is and what it pays, with how sure that is, in percent, and why.

The rule that matters: this only reads. A whole batch of lines is judged in a bounded number of queries; a line never
promises what another line of the batch has promised already.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from billing.models import Attempt, BankLine, Gateway, Refund
from billing.services import matching_facts
from billing.services.matching_facts import NEAR, Bill, Known
from core.models import Company
from core.texts import sort_key
from pricing import remittance

#: From so many percent on, and alone with it, a suggestion is carried out without a person.
CERTAIN: Final = 95
#: Suggestions kept of a line, and open invoices of a customer that are looked at.
MOST: Final = 5
MOST_OPEN: Final = 60
#: Names that are so alike, in percent, speak for each other.
ALIKE: Final = 80
#: Providers by what their transfers are called.
PROVIDERS: Final = {"stripe": Gateway.Kind.STRIPE, "paypal": Gateway.Kind.PAYPAL}
_FEE_WORDS: Final = (
    "KONTOFUHRUNG", "KONTOFUEHRUNG", "ENTGELT", "GEBUHR", "GEBUEHR", "BANK CHARGES", "BANK FEE", "ACCOUNT FEE",
    "FRAIS BANCAIRES", "COMMISSIONE", "COMISION", "ABSCHLUSS", "RECHNUNGSABSCHLUSS",
)  # fmt: skip

#: reason: its words
REASONS: Final[dict[str, str | Promise]] = {
    "end_to_end": _("names our own order %(reference)s"),
    "file": _("names our direct debit file %(reference)s"),
    "creditor_reference": _("bears the creditor reference of %(number)s"),
    "number": _("names %(number)s"),
    "number_bare": _("names the digits of %(number)s"),
    "amount": _("the amount is exactly what is open"),
    "amount_other": _("the amount is not what is open"),
    "amount_alone": _("no other open invoice has this amount"),
    "sum": _("the amount is the sum of %(count)s open invoices"),
    "paid": _("%(number)s is paid already"),
    "iban": _("this account has paid for this customer before"),
    "mandate": _("this account is the one of a mandate"),
    "name_same": _("the name is the customer's"),
    "name_alike": _("the name is like the customer's"),
    "oldest": _("pays what is due the longest"),
    "recorded": _("a payment like it was recorded by hand"),
    "mandate_reference": _("names the mandate %(reference)s"),
    "provider": _("comes from %(name)s"),
    "fee_words": _("reads like a charge of the bank"),
    "refund_amount": _("a refund of this amount waits to be paid out"),
    "file_refunds": _("names our file of refunds %(reference)s"),
    "refund_sum": _("a file of refunds comes to this amount"),
    "came_back": _("a refund of ours came back"),
}


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What a line may be. `kind`: invoices (pays these, in order), customer (pays the oldest due), payment (recorded
    already), debit or batch (our direct debits credited), return, refund, refunds (a whole file of them), payout, fee.
    `id`: of the row it names, of a file of refunds the first.
    """

    kind: str
    percent: int
    reasons: tuple[tuple[str, tuple[tuple[str, Any], ...]], ...]
    customer_id: int | None = None
    invoice_ids: tuple[int, ...] = ()
    id: int | None = None

    @property
    def what(self) -> tuple[str, int | None, tuple[int, ...], int | None]:
        """The same for suggestions of the same thing."""
        return self.kind, self.customer_id, self.invoice_ids, self.id

    def as_json(self) -> dict[str, Any]:
        """As it is kept with the line."""
        return {
            "kind": self.kind, "percent": self.percent, "customer": self.customer_id,
            "invoices": list(self.invoice_ids), "id": self.id,
            "reasons": [[code, dict(params)] for code, params in self.reasons],
        }  # fmt: skip


def of_json(kept: Mapping[str, Any]) -> Suggestion:
    """The suggestion that was kept."""
    return Suggestion(
        kept["kind"], kept["percent"],
        tuple((code, tuple(sorted(params.items()))) for code, params in kept.get("reasons", [])),
        kept.get("customer"), tuple(kept.get("invoices", ())), kept.get("id"),
    )  # fmt: skip


def words(suggestion: Suggestion) -> list[str]:
    """Why, in the reader's language."""
    return [str(REASONS[code]) % dict(params) for code, params in suggestion.reasons]


def _why(code: str, **params: Any) -> tuple[str, tuple[tuple[str, Any], ...]]:
    return code, tuple(sorted(params.items()))


def suggest(company: Company, lines: Sequence[BankLine]) -> dict[int, list[Suggestion]]:
    """Suggestions by line id, the surest first, for lines of the company; lines without any are missing.

    In order of the lines: what one certainly pays is not open for those behind it. Reads in at most 14 queries.
    """
    known = matching_facts.read(company, lines)
    found: dict[int, list[Suggestion]] = {}
    for line in lines:
        judged = _out(line, known) if line.amount_minor < 0 else _in(line, known)
        best: dict[Any, Suggestion] = {}
        for one in judged:
            if one.what not in best or best[one.what].percent < one.percent:
                best[one.what] = one
        order = sorted(best.values(), key=lambda one: -one.percent)[:MOST]
        if order:
            found[line.pk] = order
            chosen = certain(order)
            if chosen is not None and not line.settled_by:
                _promise(chosen, line, known)
    return found


def certain(suggestions: Sequence[Suggestion]) -> Suggestion | None:
    """The one that is sure enough, if no other is."""
    sure = [one for one in suggestions if one.percent >= CERTAIN]
    if len(sure) > 1 and len({one.kind for one in sure}) > 1 and sure[0].percent == 100:
        sure = [one for one in sure if one.percent == 100]
    return sure[0] if len(sure) == 1 else None


def _promise(chosen: Suggestion, line: BankLine, known: Known) -> None:
    rest = line.amount_minor
    rows = [known.bills[id_] for id_ in chosen.invoice_ids if id_ in known.bills]
    if chosen.kind == "customer" and chosen.customer_id is not None:
        rows = known.owned.get((chosen.customer_id, line.currency), [])
    for bill in rows:
        use = min(bill.open_minor, max(rest, 0))
        bill.open_minor -= use
        rest -= use
    if chosen.id is not None:
        known.promised.add((chosen.kind, chosen.id))


# Judging: no query from here on.


def _in(line: BankLine, known: Known) -> list[Suggestion]:
    """What money in may be."""
    own = _own_orders(line, known)
    if own:
        return own
    found = _by_number(line, known)
    accounts = known.accounts.get(line.iban_fingerprint, {}) if line.iban_fingerprint else {}
    others = {one.customer_id for one in found}
    for customer_id, source in accounts.items():
        # Whoever names another customer's invoice pays for that one, or is wrong: a person looks.
        alone = len(accounts) == 1 and others <= {customer_id}
        found.append(_of_customer(line, known, customer_id, _why(source), alone=alone))
    if not any(one.percent >= CERTAIN for one in found):
        found += _by_name(line, known, set(accounts))
        found += _by_provider(line, known)
    elif any(one.kind == "invoices" and one.percent >= 97 for one in found):
        # A number that is named, with its amount, says more than whose account it came from.
        found = [one for one in found if one.percent >= 97 or one.percent < CERTAIN]
    return _already_recorded(line, found, known)


def _own_orders(line: BankLine, known: Known) -> list[Suggestion]:
    attempt = known.debits.get(line.end_to_end_id)
    why = _why("end_to_end", reference=line.end_to_end_id)
    if attempt is not None and attempt.amount_minor == line.amount_minor and attempt.currency == line.currency:
        return [Suggestion("debit", 100, (why,), attempt.customer_id, (attempt.invoice_id,), attempt.pk)]
    for mark in matching_facts.file_marks(line):
        batch = known.files.get(mark)
        if batch is not None:
            exact = batch.total_minor == line.amount_minor and line.currency == "EUR"
            why = _why("file", reference=batch.message_id)
            return [Suggestion("batch", 100 if exact else 60, (why,), id=batch.pk)]
    refund = known.refunds.get(line.end_to_end_id)
    if refund is not None:
        return [Suggestion("customer", 90, (_why("came_back"),), refund.customer_id)]
    return []


def _by_number(line: BankLine, known: Known) -> list[Suggestion]:
    """Suggestions from the numbers in the text."""
    written = remittance.capitals(f"{line.text} {line.end_to_end_id}")
    creditor = {remittance.folded(found) for found in remittance.creditor_references(written)}
    named: dict[int, tuple[Bill, str]] = {}
    for bill in known.numbered.get(line.pk, ()):
        if bill.currency != line.currency:
            continue
        plain = bill.folded.removeprefix("TEST")
        digits = plain.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
        if bill.folded[:21] in creditor or plain[:21] in creditor:
            named[bill.id] = bill, "creditor_reference"
        elif remittance.spans(plain, written) or remittance.spans(bill.folded, written):
            named[bill.id] = bill, "number"
        elif len(digits) >= 6 and remittance.spans(digits, written):
            named[bill.id] = bill, "number_bare"
    if not named:
        return []
    by_customer: dict[int, list[tuple[Bill, str]]] = defaultdict(list)
    for bill, how in named.values():
        by_customer[bill.customer_id].append((bill, how))
    return [
        _named(
            line, known, customer_id, sorted(rows, key=lambda row: (row[0].due_on, row[0].id)), len(by_customer) == 1
        )
        for customer_id, rows in by_customer.items()
    ]


def _named(line: BankLine, known: Known, customer_id: int, rows: Sequence[tuple[Bill, str]], alone: bool) -> Suggestion:
    """What numbers of one customer's invoices say, with amount, account and name."""
    why = [_why(how, number=bill.number) for bill, how in rows]
    payable = [(bill, how) for bill, how in rows if bill.is_payable and bill.open_minor]
    surest = "number_bare" if all(how == "number_bare" for _, how in rows) else "number"
    agrees = _agrees(line, known, customer_id, why)
    if not payable:
        why += [_why("paid", number=bill.number) for bill, _how in rows]
        return Suggestion("customer", 80 if agrees else 70, tuple(why), customer_id)
    total = sum(bill.open_minor for bill, _ in payable)
    ids = tuple(bill.id for bill, _ in payable)
    if total == line.amount_minor:
        why.append(_why("amount") if len(ids) == 1 else _why("sum", count=len(ids)))
        percent = 99 if surest == "number" else 97 if agrees else 90
    else:
        part = remittance.exact_sum([(bill.id, bill.open_minor) for bill, _ in payable], line.amount_minor)
        if part is not None and len(payable) > 1:
            # More numbers than the amount pays, such as earlier invoices told with it.
            ids = tuple(part)
            why.append(_why("amount") if len(ids) == 1 else _why("sum", count=len(ids)))
            percent = 96 if agrees else 85
        else:
            why.append(_why("amount_other"))
            percent = (96 if agrees else 80) - (0 if surest == "number" else 15)
    return Suggestion("invoices", percent if alone else min(percent, 85), tuple(why), customer_id, ids)


def _agrees(line: BankLine, known: Known, customer_id: int, why: list[Any]) -> bool:
    """Whether account or name speak for the customer, too; says so."""
    source = known.accounts.get(line.iban_fingerprint, {}).get(customer_id) if line.iban_fingerprint else None
    alike = remittance.likeness(line.name, known.names.get(customer_id, ""))
    if source:
        why.append(_why(source))
    if alike == 100:
        why.append(_why("name_same"))
    elif alike >= ALIKE:
        why.append(_why("name_alike"))
    return bool(source) or alike >= ALIKE


def _of_customer(line: BankLine, known: Known, customer_id: int, why: Any, *, alone: bool) -> Suggestion:
    """What a customer whose account it is may have paid."""
    owned = [bill for bill in known.owned.get((customer_id, line.currency), ()) if bill.open_minor]
    parts = remittance.exact_sum([(bill.id, bill.open_minor) for bill in owned[:MOST_OPEN]], line.amount_minor)
    reasons = [why]
    if parts:
        reasons.append(_why("amount") if len(parts) == 1 else _why("sum", count=len(parts)))
        return Suggestion("invoices", 96 if alone else 75, tuple(reasons), customer_id, tuple(parts))
    reasons.append(_why("oldest"))
    return Suggestion("customer", 95 if alone else 60, tuple(reasons), customer_id)


def _by_name(line: BankLine, known: Known, seen: set[int]) -> list[Suggestion]:
    """What the name and the amount say; never certain."""
    found = []
    bill = known.bills.get(known.by_amount.get((line.currency, line.amount_minor), 0))
    if bill is not None and bill.open_minor == line.amount_minor and bill.customer_id not in seen:
        alike = remittance.likeness(line.name, known.names.get(bill.customer_id, ""))
        why = [_why("amount"), _why("amount_alone")]
        if alike >= ALIKE:
            why.append(_why("name_same" if alike == 100 else "name_alike"))
        percent = 90 if alike == 100 else 80 if alike >= ALIKE else 40
        found.append(Suggestion("invoices", percent, tuple(why), bill.customer_id, (bill.id,)))
    same = [id_ for id_ in known.by_name.get(sort_key(line.name), ()) if id_ not in seen] if line.name else []
    for customer_id in same[:MOST]:
        one = _of_customer(line, known, customer_id, _why("name_same"), alone=False)
        percent = (85 if one.kind == "invoices" else 60) - (0 if len(same) == 1 else 25)
        found.append(Suggestion(one.kind, percent, one.reasons, customer_id, one.invoice_ids))
    return found


def _by_provider(line: BankLine, known: Known) -> list[Suggestion]:
    written = f"{line.name} {line.text}".casefold()
    return [
        Suggestion("payout", 90, (_why("provider", name=gateway.name),), id=gateway.pk)
        for word, kind in PROVIDERS.items()
        if word in written and (gateway := known.gateways.get(kind)) is not None
    ]


def _already_recorded(line: BankLine, found: list[Suggestion], known: Known) -> list[Suggestion]:
    """Money that somebody has recorded by hand already is not booked again."""
    more = []
    for one in found:
        if one.kind not in ("invoices", "customer") or one.customer_id is None:
            continue
        rows = known.recorded.get((one.customer_id, line.currency, line.amount_minor), [])
        near = [
            row for row in rows
            if abs(row.received_on - line.booked_on) <= NEAR and ("payment", row.pk) not in known.promised
        ]  # fmt: skip
        if near:
            # Sure of the customer means sure of the payment; otherwise a person looks.
            percent = 98 if one.percent >= CERTAIN else max(one.percent, 85)
            more.append(
                Suggestion("payment", percent, (_why("recorded"), *one.reasons), one.customer_id, id=near[0].pk)
            )
    if not more:
        return found
    taken = {one.customer_id for one in more}
    rest = [
        Suggestion(one.kind, min(one.percent, CERTAIN - 5), one.reasons, one.customer_id, one.invoice_ids, one.id)
        if one.customer_id in taken else one
        for one in found
    ]  # fmt: skip
    return more + rest


def _out(line: BankLine, known: Known) -> list[Suggestion]:
    """What money out may be."""
    amount = -line.amount_minor
    attempt = known.debits.get(line.end_to_end_id)
    if attempt is not None:
        why = _why("end_to_end", reference=line.end_to_end_id)
        fits = attempt.amount_minor == amount - line.fee_minor or attempt.amount_minor == amount
        percent = 100 if fits and line.return_code else 97 if fits else 70
        return [Suggestion("return", percent, (why,), attempt.customer_id, (attempt.invoice_id,), attempt.pk)]
    refund = known.refunds.get(line.end_to_end_id)
    if refund is not None and refund.currency == line.currency:
        why = _why("end_to_end", reference=line.end_to_end_id)
        return [
            Suggestion("refund", 100 if refund.amount_minor == amount else 60, (why,), refund.customer_id, id=refund.pk)
        ]
    if line.return_code:
        return _returned(line, amount, known)
    found = _file_of_refunds(line, amount, known)
    found += [
        _refunded(line, refund, known)
        for refund in known.waiting.get((line.currency, amount), ())
        if ("refund", refund.pk) not in known.promised
    ]
    if Counter(one.percent >= CERTAIN for one in found)[True] > 1:
        # Two alike of the same customer: the older one goes first.
        whose = {one.customer_id for one in found if one.percent >= CERTAIN}
        sure = [one for one in found if one.percent >= CERTAIN]
        found = sure[:1] if len(whose) == 1 else [_at_most(one, CERTAIN - 5) for one in found]
    upper = remittance.capitals(f"{line.text} {line.name}")
    if not line.iban and any(word in upper for word in _FEE_WORDS):
        found.append(Suggestion("fee", 80, (_why("fee_words"),)))
    return found


def _file_of_refunds(line: BankLine, amount: int, known: Known) -> list[Suggestion]:
    """A file of refunds that the bank booked in one sum."""
    named = matching_facts.file_marks(line, "PAY", 32)
    found = []
    for message_id, refunds in known.payouts.items():
        fits = sum(refund.amount_minor for refund in refunds) == amount and line.currency == refunds[0].currency
        is_sum = len(refunds) > 1 and not line.iban
        if ("refunds", refunds[0].pk) not in known.promised and (message_id in named or (fits and is_sum)):
            why = _why("file_refunds", reference=message_id) if message_id in named else _why("refund_sum")
            percent = (100 if fits else 60) if message_id in named else 85
            found.append(Suggestion("refunds", percent, (why,), id=refunds[0].pk))
    return found


def _at_most(one: Suggestion, percent: int) -> Suggestion:
    return Suggestion(one.kind, min(one.percent, percent), one.reasons, one.customer_id, one.invoice_ids, one.id)


def _returned(line: BankLine, amount: int, known: Known) -> list[Suggestion]:
    rows: list[Attempt] = []
    for value in {amount, amount - line.fee_minor}:
        rows += [
            row for row in known.by_mandate.get((line.mandate_reference, value), ())
            if row.currency == line.currency and ("return", row.pk) not in known.promised
        ]  # fmt: skip
    why = _why("mandate_reference", reference=line.mandate_reference)
    return [
        Suggestion(
            "return", 96 if len(rows) == 1 else 80, (why, _why("amount")), row.customer_id, (row.invoice_id,), row.pk
        )
        for row in sorted(rows, key=lambda row: -row.pk)
    ]


def _refunded(line: BankLine, refund: Refund, known: Known) -> Suggestion:
    why = [_why("refund_amount")]
    agrees = _agrees(line, known, refund.customer_id, why)
    by_account = any(code in ("iban", "mandate") for code, _params in why)
    percent = 96 if by_account else 85 if agrees else 50
    return Suggestion("refund", percent, tuple(why), refund.customer_id, id=refund.pk)
