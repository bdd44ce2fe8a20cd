"""Twelve faults that somebody could build into the product, each as a patch of it, with the strikes aimed at it.

The rule that matters: what is patched stands in the source exactly once, word for word; a patch that does not fit any
more is an error, so that no change of the product disarms one without being noticed. A planted fault does its work in
peace as the product does, save where it says so: only the strike brings it out.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

from faults.plan import Injection


@dataclass(frozen=True, slots=True)
class Edit:
    """In `file`, `old` stands once and becomes `new`."""

    file: str
    old: str
    new: str

    def on(self, text: str) -> str:
        """The text with the fault in it. Raises LookupError when the place is not there, or there twice."""
        if text.count(self.old) != 1:
            raise LookupError(f"{self.file} says {text.count(self.old)} times, not once: {self.old!r}")
        return text.replace(self.old, self.new)


#: Who joined until then is billed, collected from and, of the last days, written to at once.
ONE_LOOK: Final = (date(2025, 1, 12),)
#: Invoices, and the day on which those who send money pay them.
UNTIL_PAID: Final = (date(2025, 1, 12), date(2025, 1, 20))
#: A customer of the 31st, billed for February and for March.
OVER_FEBRUARY: Final = (date(2025, 1, 31), date(2025, 3, 1))
#: Invoices, and a day on which those that nobody paid are reminded of.
INTO_DUNNING: Final = (date(2025, 1, 5), date(2025, 1, 24))


@dataclass(frozen=True, slots=True)
class Mutant:
    """`edits` and `sql` (run on its database) plant it; `aimed` strikes at it on the days of `calendar`.

    `in_peace`: what people do in the undisturbed life where the strike has them do it at the worst moment.
    """

    name: str
    aimed: tuple[Injection, ...]
    edits: tuple[Edit, ...] = ()
    sql: tuple[str, ...] = ()
    calendar: tuple[date, ...] = ONE_LOOK
    in_peace: tuple[Injection, ...] = ()


_REDIS: Final = "__import__('redis').Redis.from_url(__import__('django.conf').conf.settings.REDIS_URL)"

MUTANTS: Final = (
    Mutant(
        "exclusion constraint dropped",
        (Injection("days_twice"),),
        sql=("ALTER TABLE billing_billeddays DROP CONSTRAINT billed_days_never_overlap",),
    ),
    Mutant(
        "new key per try",
        (Injection("provider_mute"),),
        edits=(Edit("billing/services/sending.py", "        key=attempt.key,\n", "        key=attempts.new_key(),\n"),),
    ),
    Mutant(
        "time-out as failure",
        (Injection("provider_mute"),),
        edits=(
            Edit(
                "billing/gateways/stripe.py",
                "Answer(Outcome.NOT_SENT if never and not asks else Outcome.UNKNOWN, detail=_said(error))",
                "Answer(Outcome.NOT_SENT if never and not asks else Outcome.DECLINED, detail=_said(error))",
            ),
        ),
    ),
    Mutant(
        ".delay() for the outbox",
        (Injection("valkey_flushed", "mail.composed", 2),),
        edits=(
            Edit(
                "billing/services/mailing.py",
                '        held.payload = {**held.payload, "message": message}\n',
                "        if message is not None:\n"
                '            Outbox.objects.filter(kind="mail", payload__message=message).delete()\n'
                f"            queue = {_REDIS}\n"
                '            transaction.on_commit(lambda: queue.rpush("mail", f"{held.company_id} {message}"))\n'
                '        held.payload = {**held.payload, "message": message}\n',
            ),
            Edit(
                "core/services/outbox.py",
                "    outcome = Relayed()\n    claimed = claim(",
                "    outcome = Relayed()\n"
                f"    queue = {_REDIS}\n"
                '    while told := queue.lpop("mail"):\n'
                "        company, message = map(int, told.split())\n"
                '        _handlers["mail"](Outbox(company_id=company, kind="mail", payload={"message": message}))\n'
                "        outcome.done += 1\n"
                "    claimed = claim(",
            ),
        ),
    ),
    Mutant(
        # What is taken from a sequence stays taken: after the hole the database refuses every number that has no
        # predecessor, and nothing is issued any more.
        "sequence for numbers",
        (Injection("kill", "billing.written"),),
        edits=(
            Edit(
                "core/services/numbering.py",
                "    with connection.cursor() as cursor:\n",
                "    with connection.cursor() as cursor:\n"
                "        cursor.execute(\n"
                "            \"SELECT max(nextval(('mutant_' || %s)::regclass)) FROM generate_series(1, %s)\", "
                "[series, count]\n"
                "        )\n"
                "        [taken] = cursor.fetchone()\n",
            ),
            Edit(
                "core/services/numbering.py",
                "SET last_number = core_numberseries.last_number + excluded.last_number,\n",
                "SET last_number = greatest(core_numberseries.last_number, excluded.last_number),\n",
            ),
            Edit(
                "core/services/numbering.py",
                "[company.pk, series, on.year, count, on]",
                "[company.pk, series, on.year, taken, on]",
            ),
            Edit(
                "core/services/numbering.py",
                "        last, last_on = cursor.fetchone()\n",
                "        _, last_on = cursor.fetchone()\n",
            ),
            Edit(
                "core/services/numbering.py",
                "    return last - count + 1, last_on\n",
                "    return taken - count + 1, last_on\n",
            ),
        ),
        sql=("CREATE SEQUENCE mutant_invoice", "CREATE SEQUENCE mutant_credit_note"),
    ),  # fmt: skip
    Mutant(
        "lock removed",
        (Injection("other_payer", "payment.recorded"),),
        edits=(
            Edit(
                "billing/services/receivables.py",
                "found = Customer.objects.select_for_update(no_key=True).filter(company=company, pk=customer_id)",
                "found = Customer.objects.filter(company=company, pk=customer_id)",
            ),
        ),
        calendar=UNTIL_PAID,
    ),
    Mutant(
        "ETA scheduling",
        (Injection("smtp_refuses_then_flushed"),),
        edits=(
            Edit(
                "core/services/outbox.py",
                "        ours.update(attempts=tries, lease_until=None, due_at=due_at, last_error=words)\n",
                f'        {_REDIS}.zadd("eta", {{row.pk: due_at.timestamp()}})\n'
                '        never = datetime.fromisoformat("9999-01-01T00:00:00+00:00")\n'
                "        ours.update(attempts=tries, lease_until=None, due_at=never, last_error=words)\n",
            ),
            Edit(
                "core/services/outbox.py",
                "    at = clock.machine_now()\n    with transaction.atomic():\n        free = ",
                "    at = clock.machine_now()\n"
                f"    queue = {_REDIS}\n"
                '    if told := queue.zrangebyscore("eta", 0, at.timestamp()):\n'
                "        Outbox.objects.filter(pk__in=map(int, told)).update(due_at=at)\n"
                '        queue.zrem("eta", *told)\n'
                "    with transaction.atomic():\n        free = ",
            ),
        ),
    ),
    Mutant(
        # This one shows in peace, too: a customer of the 31st is billed from the 28th on, once February was short.
        "month from the previous date",
        (Injection("kill", "billing.lines"),),
        edits=(
            Edit(
                "pricing/periods.py",
                "    return add_months(anchor.on, n * _MONTHS[interval.unit] * interval.count, anchor.day)\n",
                "    months = _MONTHS[interval.unit] * interval.count\n"
                "    on = anchor.on\n"
                "    for _ in range(abs(n)):\n"
                "        on = add_months(on, months if n > 0 else -months)\n"
                "    return on\n",
            ),
            Edit(
                "pricing/periods.py",
                "    if rest == 0 and day.day < anchor.day and day.day < days_in_month(year, month):\n"
                "        n -= 1\n"
                "    return n\n",
                "    while boundary(anchor, interval, n) > day:\n"
                "        n -= 1\n"
                "    while boundary(anchor, interval, n + 1) <= day:\n"
                "        n += 1\n"
                "    return n\n",
            ),
        ),
        calendar=OVER_FEBRUARY,
    ),
    Mutant(
        "acknowledge before commit",
        (Injection("kill", "mail.composed"), Injection("kill", "mail.composed", 2)),
        edits=(
            Edit(
                "core/services/outbox.py",
                "        try:\n            _handlers[row.kind](row)\n",
                "        Outbox.objects.filter(pk=row.pk).update(\n"
                "            state=Outbox.State.DONE, done_at=clock.machine_now()\n"
                "        )\n"
                "        try:\n            _handlers[row.kind](row)\n",
            ),
        ),
    ),
    Mutant(
        "no dedupe",
        tuple(Injection("kill", "outbox.effected", number) for number in (1, 2, 3)),
        edits=(
            Edit(
                "billing/services/mailing.py",
                '        if "message" in held.payload:\n            return\n',
                "",
            ),
        ),
    ),
    Mutant(
        "balance not read again in dunning",
        (Injection("debtor_pays_meanwhile"),),
        edits=(
            Edit(
                "billing/services/dunning_steps.py",
                "    customer = following.locked_customer(whose[0])\n",
                '    case = DunningCase.objects.select_related("policy", "company").get(pk=case_id)\n'
                "    today = clock.day_in(at, case.company.time_zone)\n"
                "    seen = lateness.read(case.company, whose[0], whose[1], today)\n"
                "    customer = following.locked_customer(whose[0])\n",
            ),
            Edit(
                "billing/services/dunning_steps.py",
                "    case = following.held_case(customer, whose[1])\n"
                "    if case is not None and case.pk != case_id:\n"
                "        return None, [], today\n"
                "    case = following.refresh(customer, whose[1], case, at, by=by)\n"
                "    if case is None or case.pk != case_id:\n"
                "        return None, [], today\n"
                "    return case, lateness.read(customer.company, customer.pk, whose[1], today), today\n",
                "    case.customer = customer\n"
                "    return (case, seen, today) if seen and case.state in following.LIVE else (None, [], today)\n",
            ),
        ),
        calendar=INTO_DUNNING,
        in_peace=(Injection("debtor_pays"),),
    ),
    Mutant(
        "late acknowledgement without a claim",
        (Injection("other_relay", "mail.sent"),),
        edits=(
            Edit(
                "core/services/outbox.py", "update(lease_until=at + LEASE, lease_by=worker)", "update(lease_by=worker)"
            ),
            Edit("core/services/outbox.py", "        if not _still_ours(row, worker):\n            continue\n", ""),
            Edit(
                "core/services/outbox.py",
                "Outbox.objects.select_for_update(skip_locked=True).filter(",
                "Outbox.objects.filter(",
            ),
        ),
    ),  # fmt: skip
)


def plant(mutant: Mutant, folder: Path) -> None:
    """Puts the fault into a copy of the product. Raises LookupError when a patch does not fit."""
    for file, text in patched(mutant, folder).items():
        # What stands there may be the very file of another copy.
        (folder / file).unlink()
        (folder / file).write_text(text)


def patched(mutant: Mutant, folder: Path) -> dict[str, str]:
    """The files of the product in `folder` that the fault changes, as they are with it."""
    found: dict[str, str] = {}
    for edit in mutant.edits:
        found[edit.file] = edit.on(found.get(edit.file) or (folder / edit.file).read_text())
    return found
