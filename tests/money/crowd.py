"""Customers who pay at the stand-in providers, relays that run beside, and the two sides of the account compared.

What the stand-in's ledger says is the truth about money; it is counted by our invoice, never by an idempotency key.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier
from typing import Any

from django.db import connection

from core.refusal import Refused
from tests.factories import BY, TODAY, at_noon
from tests.money.providers import Providers


def at_once(*functions: Callable[[], Any]) -> list[Any]:
    """Runs them at the same time, each on a connection of its own; what they answered, or the code of a refusal."""
    barrier = Barrier(len(functions))

    def run(function: Callable[[], Any]) -> Any:
        try:
            barrier.wait()
            return function()
        except Refused as refused:
            return refused.code
        finally:
            connection.close()

    with ThreadPoolExecutor(len(functions)) as pool:
        return [future.result() for future in [pool.submit(run, function) for function in functions]]


@contextmanager
def relays(count: int = 2) -> Iterator[None]:
    """So many relays carry out what the outbox holds, beside whatever is done meanwhile."""
    from core.services import outbox

    over = threading.Event()

    def run(name: str) -> None:
        try:
            while not over.is_set():
                outbox.relay(worker=name, limit=3, stopping=over.is_set)
                over.wait(0.02)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(f"relay-{number}",)) for number in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


def a_wallet(customer: Any, gateway: Any, providers: Providers, *, is_default: bool = True) -> Any:
    """A PayPal wallet the customer saved on PayPal's page."""
    from billing.gateways.base import SetUp
    from billing.services import gateway_accounts, payment_methods

    paypal = gateway_accounts.connect(gateway)
    page = paypal.set_up(
        SetUp(
            key=f"setup-{customer.ref}", customer=customer.ref, customer_name=customer.name,
            customer_email=customer.email, language="en", currency="EUR", return_url="https://shop.example/back",
            cancel_url="https://shop.example/left",
        )
    )  # fmt: skip
    providers.control(f"paypal/setup-tokens/{page.external_id}/approve", {"email": customer.email})
    found = paypal.set_up_done(page.external_id)
    assert found is not None
    return payment_methods.keep(gateway=gateway, customer=customer, found=found, by=BY, at=at_noon(TODAY))


def rows_of(providers: Providers) -> list[dict[str, Any]]:
    """All money that moved at the stand-in, in order; `invoice` is our invoice's id at both providers."""
    found: list[dict[str, Any]] = []
    while page := providers.control(f"ledger?limit=10000&after={found[-1]['seq'] if found else 0}")["rows"]:
        found += page
    # PayPal wants an invoice id of its own for each order; what follows the dash is the attempt's.
    return [row | {"invoice": row["invoice"].partition("-")[0]} for row in found]


def charges(providers: Providers) -> Counter[str]:
    """How often money was taken for each invoice."""
    return Counter(row["invoice"] for row in rows_of(providers) if row["kind"] == "charge")


def at_provider(providers: Providers, since: int = 0) -> dict[str, int]:
    """What the provider holds for us by currency: money in less money back less its fees, in minor units."""
    sums: Counter[str] = Counter()
    for row in rows_of(providers):
        if row["seq"] > since:
            sums[row["currency"].upper()] += row["amount"] - row["fee"]
    return dict(sums)


def in_books(company: Any) -> dict[str, int]:
    """What the books say the provider holds for us, by currency, in minor units."""
    from billing.models import Posting

    sums: Counter[str] = Counter()
    rows = Posting.objects.filter(company=company, account__role="transit")
    for currency, minor in rows.values_list("currency", "amount_minor"):
        sums[currency] += minor
    return dict(sums)


def no_mail(company: Any) -> None:
    """What is to be mailed or drawn on paper counts as done: here only money matters."""
    from core.models import Outbox

    rows = Outbox.objects.filter(company_id=company.pk, state=Outbox.State.WAITING, kind__contains="mail")
    rows.update(state=Outbox.State.DONE)
