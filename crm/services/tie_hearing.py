"""What was changed over there, taken over here: who unsubscribed, whose name or number is another, who is new.

The rules that matter: consent is taken back by what is heard, never given; an e-mail address is never changed from
outside, a task asks; who is new over there becomes a lead, never a customer.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Upper
from django.utils.translation import gettext as _
from django.utils.translation import override

from core import clock
from core.actors import Actor
from core.models import NAME_LENGTH, AuditEntry
from core.refusal import Refused
from core.services import sweeping
from crm.models import Lead, Tie, TieChange, TieRecord
from crm.services import lead_capture, lead_keys, leads, tasks, tie_accounts, tie_files
from crm.services.tie_merging import merged, same
from crm.ties import base
from crm.ties.base import Connection, Left, Theirs
from customers.models import Contact, Customer, Message, Suppression
from customers.services import consents, contacts, suppressing
from customers.services import customers as customer_verbs

State, What, Outcome = TieRecord.State, TieChange.What, TieChange.Outcome
#: Pages one run hears.
PAGES: Final = 50
#: What is counted as a conflict: both sides had a word on it, or it was not taken over.
CONFLICTS: Final = (Outcome.THEIRS, Outcome.OURS, Outcome.KEPT, Outcome.ASKED)
#: What is told or asked once, however often it is heard: rows that stay.
TOLD_ONCE: Final = (What.EMAIL, What.CONSENT)
#: States of people whom a system that keeps everybody knows.
_WRITTEN: Final = (State.SENT, State.KEPT, State.OFF, State.LEFT)
Holder = Customer | Contact


def hear(tie: Tie, connection: Connection, counts: Counter[str], *, at: datetime) -> None:
    """Takes over what was changed there, page by page; the cursor moves in one transaction with what a page did."""
    if tie.is_two_way and tie.two_way_since is None:
        # Some systems tell whole seconds.
        tie.two_way_since = clock.machine_now().replace(microsecond=0)
        Tie.objects.filter(pk=tie.pk).update(two_way_since=tie.two_way_since)
    for _page in range(PAGES):
        heard = connection.hear(tie.heard_through)
        with transaction.atomic():
            lines: dict[int, tuple[str, str]] = {}
            for one in _known_here(tie, heard.left):
                was_new = take_off(tie, one, at=at)
                counts["unsubscribed"] += was_new
                if was_new:
                    lines[one.line] = ("unsubscribed", "")
            if heard.people:
                page = _Page(tie, heard.people, at)
                counts.update(page.take())
                lines = page.lines | lines
            if heard.file:
                counts["failed"] += tie_files.note(heard, lines)
            tie_accounts.go_on(tie, heard_through=heard.cursor)
        if not heard.more:
            return


def take_off(tie: Tie, one: Left, *, at: datetime) -> bool:
    """Takes back the consent of everybody with this address and blocks it for advertising; whether anything changed.

    What we ourselves sent, what was heard before, and addresses that nobody here has, change nothing.
    """
    key = suppressing.normal(one.address)
    record = TieRecord.objects.filter(tie=tie, kind="person", key=key).first()
    if record is not None and (record.state == State.OFF or (record.heard and one.at <= record.heard)):
        return False
    by = Actor.system(tie.name)
    holders: list[consents.Holder] = [
        *Customer.objects.filter(company_id=tie.company_id, email__iexact=key),
        *Contact.objects.filter(company_id=tie.company_id, email__iexact=key, archived_at__isnull=True),
    ]
    if record is not None:
        record.state, record.heard, record.digest = State.LEFT, one.at[:40], ""
        record.save(update_fields=["state", "heard", "digest"])
    if not holders:
        return False
    known = suppressing.blocked(tie.company_id, [key], category="marketing")
    for holder in holders:
        consents.withdraw(holder=holder, by=by, at=at)
    suppressing.suppress(
        company=tie.company, address=key, reason=Suppression.Reason.UNSUBSCRIBED, by=by, at=at,
        words=one.words or tie.get_kind_display(),
    )  # fmt: skip
    return not known


@dataclass(slots=True)
class _Known:
    """Everything about the people of a page, asked in a few questions."""

    records: dict[str, TieRecord] = field(default_factory=dict)
    by_id: dict[str, TieRecord] = field(default_factory=dict)
    holders: dict[str, list[Holder]] = field(default_factory=lambda: defaultdict(list))
    leads: set[str] = field(default_factory=set)
    blocked: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, tie: Tie, people: Sequence[Theirs]) -> _Known:
        found = cls()
        keys = {suppressing.normal(one.address) for one in people}
        rows = TieRecord.objects.filter(tie=tie, kind="person")
        for row in rows.filter(key__in=keys):
            found.records[row.key] = row
        ids = {one.id for one in people if one.id}
        for row in rows.filter(external_id__in=ids) if ids else ():
            found.by_id[row.external_id] = row
        wanted = {*keys, *(row.key for row in found.by_id.values())}
        found.hold(tie.company_id, wanted)
        found.blocked = suppressing.blocked(tie.company_id, wanted, category=Message.Category.MARKETING)
        by_key = {lead_keys.email_key(key) for key in keys if key not in found.holders}
        met = Lead.objects.filter(company_id=tie.company_id, email_key__in=by_key)
        found.leads = set(met.values_list("email_key", flat=True)) if by_key else set()
        return found

    def hold(self, company_id: int, keys: Iterable[str]) -> None:
        upper = [key.upper() for key in keys]
        own = Customer.objects.filter(company_id=company_id).annotate(at=Upper("email")).filter(at__in=upper)
        people = Contact.objects.filter(company_id=company_id).annotate(at=Upper("email")).filter(at__in=upper)
        for customer in own.order_by("pk"):
            self.holders[suppressing.normal(customer.email)].append(customer)
        for contact in people.select_related("customer").order_by("customer_id", "pk"):
            self.holders[suppressing.normal(contact.email)].append(contact)

    def speaker(self, key: str, record: TieRecord | None) -> Holder | None:
        """Who is meant by an address: of its first customer, the one who allowed advertising before one who did not."""
        rows = self.holders.get(key, [])
        if record is not None and any(customer_id_of(row) == record.customer_id for row in rows):
            rows = [row for row in rows if customer_id_of(row) == record.customer_id]
        live = [row for row in rows if row.archived_at is None]
        allowed = [row for row in live if row.marketing_consent_at is not None]
        return next(iter([*allowed, *live]), None)


def customer_id_of(row: Holder) -> int:
    return row.pk if isinstance(row, Customer) else row.customer_id


def shared_of(row: Holder) -> dict[str, str]:
    """Values that may be changed on both sides. A company's name stands on its invoices: that one is ours alone."""
    if isinstance(row, Customer) and row.kind == Customer.Kind.COMPANY:
        return {"phone": row.phone}
    return {"name": row.name, "phone": row.phone}


class _Page:
    """One page of people who were changed over there."""

    def __init__(self, tie: Tie, people: Sequence[Theirs], at: datetime) -> None:
        self.tie, self.people, self.at = tie, people, at
        self.known = _Known.of(tie, people)
        self.by = Actor.system(tie.name)
        self.changes: list[TieChange] = []
        #: By line of a file what became of it, and why.
        self.lines: dict[int, tuple[str, str]] = {}
        self.keeps = base.of_kind(tie.kind).keeps_everybody
        self.counts: Counter[str] = Counter()

    def take(self) -> Counter[str]:
        """Takes over what there is; `taken`, `leads`, `conflicts`. Customers are locked in the order of their ids."""
        places = {key: min(map(customer_id_of, rows)) for key, rows in self.known.holders.items() if rows}
        for one in sorted(self.people, key=lambda one: places.get(suppressing.normal(one.address), 0)):
            before = len(self.changes)
            is_known = self.person(one)
            if one.line:
                self.lines[one.line] = _outcome(self.changes[before:], is_known=is_known)
        TieChange.objects.bulk_create(self.changes)
        return self.counts

    def person(self, one: Theirs) -> bool:
        """Takes over one; whether somebody here has the address, or had it."""
        key = suppressing.normal(one.address)
        record = self.known.records.get(key)
        if record is None and self._moved(one, key):
            return True
        holder = self.known.speaker(key, record)
        if holder is None:
            if not self.known.holders.get(key) and record is None:
                self._lead(one, key)
            return False
        if one.new_address and suppressing.normal(one.new_address) != key:
            self._ask(one, key, holder, suppressing.normal(one.new_address))
        is_allowed = holder.marketing_consent_at is not None and key not in self.known.blocked
        if record is None:
            if not (is_allowed or one.lists):
                self._consent(one, key, holder, None, is_allowed=is_allowed)
                return True
            record = TieRecord(
                company_id=self.tie.company_id, tie=self.tie, kind="person", key=key, state=State.HEARD,
                customer_id=customer_id_of(holder),
            )  # fmt: skip
            self.known.records[key] = record
        before = (record.external_id, record.lists, record.values, record.digest, record.state)
        record.external_id = (one.id or record.external_id)[:120]
        if one.says_lists:
            record.lists = list(one.lists)
        if record.state in (_WRITTEN if self.keeps else (State.SENT,)) or (record.state == State.HEARD and is_allowed):
            self._merge(one, holder, record)
        self._consent(one, key, holder, record, is_allowed=is_allowed)
        if before != (record.external_id, record.lists, record.values, record.digest, record.state) or not record.pk:
            record.save()
        return True

    def _merge(self, one: Theirs, holder: Holder, record: TieRecord) -> None:
        values = dict(record.values)
        for name, ours in shared_of(holder).items():
            if name not in one.shared:
                continue
            theirs = one.shared[name].strip()
            known, theirs_at = values.get(name), datetime.fromisoformat(one.at)
            ours_at = None
            found = merged(name, base=known, ours=ours, theirs=theirs, ours_at=ours_at, theirs_at=theirs_at)
            if found.outcome:
                # Read again under its lock: somebody here may change it at this very moment.
                ours = _held(holder, name)
                ours_at = _changed_at(holder, name) if known is not None else None
                found = merged(name, base=known, ours=ours, theirs=theirs, ours_at=ours_at, theirs_at=theirs_at)
            values[name] = theirs
            outcome, words = str(found.outcome), ""
            if found.outcome in ("taken", "theirs"):
                words = self._write(holder, name, found.value)
                outcome = Outcome.KEPT if words else outcome
            if words or not same(name, found.value, theirs):
                record.digest = ""
            if outcome:
                self._note(one, outcome, what=name, holder=holder, ours=ours, theirs=theirs, words=words)
        record.values = values

    def _write(self, holder: Holder, name: str, value: str) -> str:
        """Changes it here; why not, where it can't be."""
        try:
            if isinstance(holder, Customer):
                customer_verbs.update_customer(customer=holder, changes={name: value}, by=self.by, at=self.at)
            else:
                contacts.update_contact(contact=holder, changes={name: value}, by=self.by, at=self.at)
        except Refused as refused:
            return refused.message
        setattr(holder, name, value)
        return ""

    def _consent(
        self, one: Theirs, key: str, holder: Holder, record: TieRecord | None, *, is_allowed: bool
    ) -> None:  # fmt: skip
        """The stricter side wins: who took it back is put on the block list there again; who left the list is put
        back where it is allowed."""
        state = record.state if record is not None else ""
        if one.is_in and not is_allowed:
            if record is not None and state in (State.OFF, State.LEFT):
                # As far as is known they may be written to: the next portion says that they may not.
                record.state, record.digest = State.SENT, ""
                self._note(one, Outcome.KEPT, what=What.CONSENT, holder=holder, ours="off", theirs="on")
            elif state in ("", State.HEARD, State.KEPT) and not self._said(key, What.CONSENT, "on"):
                self._note(one, Outcome.KEPT, what=What.CONSENT, holder=holder, ours="off", theirs="on")
        elif record is not None and state == State.SENT and record.digest and one.is_in is False and not one.is_off:
            record.digest = ""
            self._note(one, Outcome.KEPT, what=What.LIST, holder=holder, ours="on", theirs="out")

    def _moved(self, one: Theirs, key: str) -> bool:
        """Whether it is somebody whose address was changed over there, which a task asks about, once."""
        record = self.known.by_id.get(one.id) if one.id else None
        if record is None or record.key == key or self.known.holders.get(key):
            return False
        holder = self.known.speaker(record.key, record)
        if holder is None:
            return False
        self._ask(one, record.key, holder, key)
        return True

    def _ask(self, one: Theirs, old: str, holder: Holder, new: str) -> None:
        """A task about another address, once."""
        if not self._said(old, What.EMAIL, new):
            customer = holder if isinstance(holder, Customer) else holder.customer
            with override(self.tie.company.language):
                words = {"name": holder.name, "system": self.tie.name, "old": old, "new": new}
                title = _("Is the e-mail address of %(name)s another?") % words
                text = _("In %(system)s it was changed from %(old)s to %(new)s. Ask, then change it here or there.")
            tasks.create(
                company=self.tie.company, title=title[:NAME_LENGTH], text=text % words, customer=customer,
                owner=customer.owner, due_on=clock.day_in(self.at, self.tie.company.time_zone) + timedelta(days=7),
                by=self.by, at=self.at,
            )  # fmt: skip
            self._note(one, Outcome.ASKED, what=What.EMAIL, holder=holder, ours=old, theirs=new, key=old)

    def _lead(self, one: Theirs, key: str) -> None:
        """Who is new over there and nobody here knows is a lead; who asked never to be written to is none."""
        since = self.tie.two_way_since
        is_new = since is not None and one.made_at != "" and datetime.fromisoformat(one.made_at) >= since
        if not (is_new and one.is_in) or key in self.known.blocked or lead_keys.email_key(key) in self.known.leads:
            return
        form = lead_capture.of_company(self.tie.company)
        mark = hashlib.sha256(f"{self.tie.ref}:{key}".encode()).hexdigest()[:36]
        try:
            with transaction.atomic():
                lead = leads.create(
                    company=self.tie.company, origin=Lead.Origin.TIE, extra={"form_key": f"tie:{mark}"},
                    owner=form.owner, team=form.team, campaign=self.tie.campaign, source=self.tie.name[:80],
                    name=(one.shared.get("name") or ("" if one.company else key))[:NAME_LENGTH],
                    organization=one.company[:NAME_LENGTH], email=key, phone=one.shared.get("phone", "")[:40],
                    by=self.by, at=self.at,
                )  # fmt: skip
        except Refused as refused:
            self._note(one, Outcome.KEPT, what=What.PERSON, theirs=key, words=refused.message)
            return
        self.known.leads.add(lead_keys.email_key(key))
        self.counts["leads"] += 1
        self._note(one, Outcome.LEAD, what=What.PERSON, theirs=key, lead=lead)

    def _said(self, key: str, what: str, theirs: str) -> bool:
        """Whether just that was heard before: the last change comes with every question, and all of them do when a
        tie begins anew. What is asked about here is never dropped by age."""
        assert what in TOLD_ONCE
        return TieChange.objects.filter(tie=self.tie, key=key, what=what, theirs=theirs).exists()

    def _note(
        self, one: Theirs, outcome: str, *, what: str, holder: Holder | None = None, lead: Lead | None = None,
        ours: str = "", theirs: str = "", words: str = "", key: str = "",
    ) -> None:  # fmt: skip
        if outcome == Outcome.TAKEN:
            self.counts["taken"] += 1
        self.counts["conflicts"] += outcome in CONFLICTS
        self.changes.append(
            TieChange(
                company_id=self.tie.company_id, tie=self.tie, at=clock.machine_now(),
                changed_at=datetime.fromisoformat(one.at), key=key or suppressing.normal(one.address),
                customer_id=customer_id_of(holder) if holder is not None else None, lead=lead, what=what,
                ours=ours[:NAME_LENGTH], theirs=theirs[:320], outcome=outcome, words=words[:300],
            )
        )  # fmt: skip


def _outcome(changes: Sequence[TieChange], *, is_known: bool) -> tuple[str, str]:
    """What became of a line: the worst of what became of its values."""
    if not is_known:
        return "unknown", ""
    for wanted in (Outcome.KEPT, Outcome.OURS, Outcome.ASKED, Outcome.THEIRS, Outcome.TAKEN):
        for change in changes:
            if change.outcome == wanted:
                return ("taken" if wanted == Outcome.THEIRS else str(wanted)), change.words
    return "unchanged", ""


def _known_here(tie: Tie, left: Sequence[Left]) -> list[Left]:
    """Those of them whose address anybody here has or this tie knows, in the order in which customers are locked."""
    keys = {suppressing.normal(one.address) for one in left}
    known = _Known()
    known.hold(tie.company_id, keys)
    places = {key: min(map(customer_id_of, rows)) for key, rows in known.holders.items() if rows}
    recorded = TieRecord.objects.filter(tie=tie, kind="person", key__in=keys).values_list("key", flat=True)
    places = dict.fromkeys(recorded, 0) | places
    mine = [one for one in left if suppressing.normal(one.address) in places]
    return sorted(mine, key=lambda one: places[suppressing.normal(one.address)])


def _held(holder: Holder, name: str) -> str:
    """A value of ours as it stands now, under its row's lock."""
    rows = type(holder)._default_manager.select_for_update(no_key=True).filter(pk=holder.pk)
    value: str = rows.values_list(name, flat=True).get()
    setattr(holder, name, value)
    return value


def _changed_at(holder: Holder, name: str) -> datetime | None:
    """When we last changed a value, by the machine's clock."""
    kind = "customer" if isinstance(holder, Customer) else "contact"
    rows = AuditEntry.objects.filter(
        company_id=holder.company_id, subject_kind=kind, subject_id=holder.pk, facts__fields__contains=[name]
    )
    return rows.order_by("-pk").values_list("written_at", flat=True).first()


sweeping.log(
    "tie_changes",
    kept=sweeping.days_of("WORK_LOG_DAYS"),
    portion=sweeping.rows(TieChange, at="at", over=~Q(what__in=TOLD_ONCE)),
)
