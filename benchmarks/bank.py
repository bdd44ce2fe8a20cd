"""M1 to M3: bank lines against open invoices: judged together, against a look-up for each line; and carried out.

The rule that matters: the naive way finds less than ours (a number exactly as printed, an account, an amount) in the
same tables with the same indexes. Run alone: python -m benchmarks.bank
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Sequence
from datetime import timedelta

from django.conf import settings
from django.db import connection

from benchmarks import stock
from benchmarks.billing_run import alone
from benchmarks.meters import Goals, counted, use
from billing import bank_formats
from billing.models import BankLine, BankStatement, Invoice, InvoiceBalance, Mandate
from billing.services import bank_lines, matching, payments, statements
from core import clock
from core.actors import Actor
from core.models import Company

BY = Actor.system("bench")
COUNT = 10_000
ROUNDS = 3
#: Lines that are carried out, too.
APPLIED = 500


def a_file(count: int, seed: int = 1) -> bytes:
    """A CSV of so many transfers: most name their invoice, as payers do, some only themselves, some nothing."""
    dice = random.Random(seed)
    rows = InvoiceBalance.objects.order_by("pk").values_list(
        "invoice__number", "open_minor", "invoice__customer__name", "customer_id"
    )
    lines = ["Booking date;Amount;Currency;Name;IBAN;Purpose;Bank reference"]
    for place, (number, minor, name, customer_id) in enumerate(rows[:count]):
        amount = f"{minor // 100},{minor % 100:02d}"
        match place % 10:
            case 7:
                text = "danke"
            case 8:
                text, amount = number, f"{dice.randint(1, 99)},00"
            case 9:
                text, name = f"Miete {place}", f"Stranger {place}"
            case _:
                text = dice.choice([number, f"Rechnung {number} vom 31.1.2026", number.lower().replace("-", " ")])
        day = stock.LAST - timedelta(days=place % 5)
        lines.append(f"{day};{amount};EUR;{name};DE{customer_id:020d};{text};B{place}")
    return "\n".join(lines).encode()


def _write(data: bytes) -> list[BankLine]:
    """The lines of a file, kept and not yet judged."""
    company = Company.objects.get()
    kind, found = bank_formats.read(data, currency="EUR")
    result = statements.Imported()
    statements._write(company, kind, found, data, "bench.csv", "DE0", result, by=BY, at=clock.now(company))
    return list(BankLine.objects.order_by("booked_on", "pk"))


def _seconds(work: Callable[[], object]) -> float:
    begun = time.monotonic()
    work()
    return time.monotonic() - begun


def together(lines: Sequence[BankLine]) -> int:
    """Ours; how many are certain."""
    company = Company.objects.get()
    found = 0
    for start in range(0, len(lines), bank_lines.CHUNK):
        judged = matching.suggest(company, lines[start : start + bank_lines.CHUNK])
        found += sum(matching.certain(one) is not None for one in judged.values())
    return found


def one_by_one(lines: Sequence[BankLine]) -> int:
    """As anybody would write it first: each line looks for itself."""
    company = Company.objects.get()
    found = 0
    for line in lines:
        words = [word.strip(".,") for word in line.text.split()]
        named = Invoice.objects.filter(company=company, number__in=words, balance__status="open").select_related(
            "balance"
        )
        earlier = BankLine.objects.filter(
            company=company, iban_fingerprint=line.iban_fingerprint, state="matched", customer__isnull=False
        ).first()
        mandate = Mandate.objects.filter(company=company, iban_fingerprint=line.iban_fingerprint).first()
        alike = InvoiceBalance.objects.filter(
            company_id=company.pk, open_minor=line.amount_minor, currency=line.currency, status="open"
        )
        invoice = named.select_related("balance").first()
        if invoice is None and (earlier or mandate) is None and alike.count() != 1:
            continue
        found += 1
    return found


def judged(lines: Sequence[BankLine], goals: Goals) -> None:
    """M1: all lines together against a sample of them one by one."""
    sample = random.Random(2).sample(list(lines), COUNT // 50)
    together(lines)
    ratios = []
    for _ in range(ROUNDS):
        ours = _seconds(lambda: together(lines)) / len(lines)
        theirs = _seconds(lambda: one_by_one(sample)) / len(sample)
        ratios.append(theirs / ours)
    print(f"# {len(lines):,} lines: {ours * 1e6:.0f} us each, {together(lines):,} certain", flush=True)
    goals.judge("M1", statistics.median(ratios), must=5, aim=10, words=f"a look-up for each line / ours, {COUNT:,}")
    with counted() as sent:
        matching.suggest(Company.objects.get(), lines[: bank_lines.CHUNK])
    goals.judge("M2", len(sent), must=14, aim=12, at_most=True, places=0, words="statements for 1,000 lines judged")


def carried_out(goals: Goals) -> None:
    """M3: reading in, judging and paying against paying alone, each with its half of the same invoices."""
    company = Company.objects.get()
    at = clock.now(company)
    invoices = list(
        Invoice.objects.filter(balance__status="open").select_related("balance", "customer__company").order_by("pk")
    )
    alone_with = invoices[COUNT // 2 : COUNT // 2 + APPLIED]

    def by_hand() -> None:
        for invoice in alone_with:
            payments.record(
                company=company, customer=invoice.customer, amount_minor=invoice.balance.open_minor, currency="EUR",
                method="transfer", received_on=stock.LAST, invoice=invoice, by=BY, at=at,
            )  # fmt: skip

    lines = [
        line for line in BankLine.objects.filter(state="open").order_by("pk")[: APPLIED * 2] if line.text != "danke"
    ]
    ids = [line.pk for line in lines[:APPLIED]]
    ended: list[int] = []

    def from_the_bank() -> None:
        ended.append(bank_lines.match(company=company, line_ids=ids, at=at)["matched"])

    each = _seconds(by_hand) / APPLIED
    seconds = _seconds(from_the_bank)
    ratio = seconds / max(ended[0], 1) / each
    print(f"# {ended[0]} of {APPLIED} carried out, {seconds / max(ended[0], 1) * 1000:.1f} ms each", flush=True)
    goals.judge(
        "M3", ratio, must=2.5, aim=1.8, at_most=True, words="a line judged and paid / a payment recorded by hand"
    )


def main() -> bool:
    """Prints the goals; whether all were met."""
    goals = Goals()
    before = settings.DATABASES["default"]["NAME"]
    name = stock.name_of(COUNT)
    try:
        stock.make(COUNT)
        alone()
        with connection.cursor() as cursor:
            cursor.execute("VACUUM (ANALYZE)")
        seconds = time.monotonic()
        lines = _write(a_file(COUNT))
        print(f"# {len(lines):,} lines read in within {time.monotonic() - seconds:.1f} s", flush=True)
        with connection.cursor() as cursor:
            cursor.execute("VACUUM (ANALYZE) billing_bankline")
        judged(lines, goals)
        carried_out(goals)
        assert BankStatement.objects.count() == 1
    finally:
        stock.drop(name)
        use(before)
    return goals.met


if __name__ == "__main__":
    raise SystemExit(0 if main() else 1)
