"""R1, W1, W3, W4 at a million rows: revenue, the last page against the first, a search against a scan, statements.

The rule that matters: whole answers of the product, from the address to the last byte, on its own tables. Run alone:
python -m benchmarks.lists [number of subscriptions, and of invoices]
"""

from __future__ import annotations

import os
import re
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import urlencode

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()

from django.db import connection  # noqa: E402
from django.db.models import QuerySet  # noqa: E402
from django.test import Client  # noqa: E402
from django.test.utils import override_settings, setup_test_environment, teardown_test_environment  # noqa: E402

from backoffice import finding  # noqa: E402
from backoffice.lists import PAGE  # noqa: E402
from backoffice.lists import counted as counted_rows  # noqa: E402
from benchmarks import billing_run, revenue, stock  # noqa: E402
from benchmarks.meters import Goals, counted  # noqa: E402
from billing.models import Invoice, Payment  # noqa: E402
from core.models import Company, Membership, Role, User  # noqa: E402
from customers.models import Customer  # noqa: E402
from subscriptions.models import Subscription  # noqa: E402

TIMES: Final = 9
OFFICE: Final = {
    "customers": "/office/customers/", "subscriptions": "/office/subscriptions/", "invoices": "/office/invoices/",
    "payments": "/office/payments/?view=received",
}  # fmt: skip
#: Payments, attempts, refunds and overdue invoices in one list.
BOARD: Final = "/office/payments/"
API: Final = {
    "customers": (Customer, "/api/v1/customers"), "subscriptions": (Subscription, "/api/v1/subscriptions"),
    "invoices": (Invoice, "/api/v1/invoices"), "payments": (Payment, "/api/v1/payments"),
}  # fmt: skip
HOME: Final = "/office/"
BOX: Final = "/office/search/"
#: Documents of the block and what is paid of them, multiplied after it was billed.
BILLED: Final = {
    "billing_invoice": {"id": "billing_invoice", "customer_id": "customers_customer"},
    "billing_invoicebalance": {"invoice_id": "billing_invoice", "customer_id": "customers_customer"},
    "billing_payment": {"id": "billing_payment", "customer_id": "customers_customer"},
    "billing_paymentbalance": {"payment_id": "billing_payment"},
}  # fmt: skip
#: Copies differ in what lists sort by and what is searched for.
CHANGED: Final = {
    "customers_customer": {
        "name": "name || ' ' || substr(md5((id * 7919 + k)::text), 1, 8)",
        "sort_key": "sort_key || ' ' || substr(md5((id * 7919 + k)::text), 1, 8)",
        "email": "k || '.' || email",
    },
    "billing_invoice": {
        "issued_on": "issued_on - (k %% 900)::int",
        "sequence": f"sequence + {stock.BLOCK} * k",
        "number": f"regexp_replace(number, '[0-9]+$', lpad((sequence + {stock.BLOCK} * k)::text, 6, '0'))",
    },
    "billing_payment": {"received_on": "received_on - (k %% 900)::int"},
}  # fmt: skip


def build(count: int) -> Company:
    """A company with so many subscriptions and invoices, nineteen of twenty paid; Django uses its database."""
    from billing.services import payment_days, payments

    begun = time.monotonic()
    name = stock.make(stock.BLOCK)
    stock.copy(name)
    stock.drop(name)
    stock.use(f"{stock.PREFIX}_work")
    billing_run.alone()
    company = Company.objects.get()
    for place, invoice in enumerate(Invoice.objects.order_by("pk")):
        if place % 20:
            payments.record(
                company=company, customer=None, amount_minor=invoice.gross_minor, currency="EUR", method="transfer",
                received_on=stock.LAST, invoice=invoice, by=billing_run.BY, at=stock.AT,
            )  # fmt: skip
    with connection.cursor() as cursor:
        # Copies need no journal of their own here, and guards were passed by the rows they copy.
        cursor.execute("SET session_replication_role = replica")
        stock.multiply(count // stock.BLOCK, stock.TABLES | BILLED, CHANGED)
        cursor.execute("RESET session_replication_role")
        payment_days.sum_up(company)
        cursor.execute("VACUUM (FREEZE, ANALYZE)")
    print(f"# {count:,} subscriptions and invoices made in {time.monotonic() - begun:.0f} s", flush=True)
    return company


def somebody(company: Company) -> Client:
    """A browser of somebody who may see everything."""
    role = max(Role.objects.filter(company=company), key=lambda role: len(role.rights))
    user = User.objects.create_user("bench@example.com")
    Membership.objects.create(company=company, user=user, role=role)
    client = Client(headers={"host": "localhost"})
    client.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
    return client


def program(company: Company) -> Client:
    """A program with a key for everything."""
    from core.services import keys

    _key, text = keys.issue_key(company=company, name="Bench", scopes=["*"], by=billing_run.BY, at=stock.AT)
    return Client(headers={"host": "localhost", "authorization": f"Bearer {text}"})


def seconds(work: Callable[[], Any]) -> float:
    """The middle of a few; the first run warms up and doesn't count."""
    work()
    spent = []
    for _ in range(TIMES):
        begun = time.perf_counter()
        work()
        spent.append(time.perf_counter() - begun)
    return statistics.median(spent)


def get(client: Client, address: str) -> Any:
    answer = client.get(address)
    assert answer.status_code == 200, (address, answer.status_code)
    return answer


def last_page(client: Client, address: str) -> str:
    """The address of a list's last page, as following its pages leads to it."""
    setup_test_environment()
    try:
        return _last_page(client, address)
    finally:
        teardown_test_environment()


def _last_page(client: Client, address: str) -> str:
    listed = get(client, address).context["list"]
    turned = listed.sort.removeprefix("-") if listed.sort.startswith("-") else f"-{listed.sort}"
    address += "&" if "?" in address else "?"
    other = get(client, f"{address}sort={turned}").context["list"]
    after = re.search(r"after=([^&]+)", other.next_url)
    assert after is not None
    found = f"{address}sort={listed.sort}&after={after[1]}"
    shown = get(client, found).context["list"]
    assert not shown.next_url and len(shown.rows) > 40, found
    return found


def last_of_board() -> str:
    row = Payment.objects.order_by("received_on", "pk")[50]
    return f"{BOARD}?after={row.received_on}.1.{row.pk}"


def last_of_api(model: Any, address: str) -> str:
    """The address of the last hundred rows, newest first."""
    row = model.objects.order_by("pk")[100]
    return f"{address}?limit=100&after={row.ref}"


def asking(address: str, text: str) -> str:
    return f"{address}{'&' if '?' in address else '?'}{urlencode({'q': text})}"


@contextmanager
def without_indexes() -> Any:
    with connection.cursor() as cursor:
        for setting in ("enable_indexscan", "enable_bitmapscan", "enable_indexonlyscan"):
            cursor.execute(f"SET {setting} = off")
        cursor.execute("SET max_parallel_workers_per_gather = 0")
        try:
            yield
        finally:
            cursor.execute("RESET ALL")


def in_the_database(work: Callable[[], Any], times: int = TIMES) -> float:
    """Seconds that the statements of the work take, all together; the middle of a few."""
    spent: list[float] = []

    def note(execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
        begun = time.perf_counter()
        try:
            return execute(sql, params, many, context)
        finally:
            spent[-1] += time.perf_counter() - begun

    for _ in range(times):
        spent.append(0.0)
        with connection.execute_wrapper(note):
            work()
    return statistics.median(spent[1:])


def search(find: Callable[[Company, str], QuerySet[Any]], company: Company, text: str) -> Callable[[], Any]:
    """The question of a list that searches: how many, and the first page of them."""

    def ask() -> None:
        rows = find(company, text)
        counted_rows(rows)
        list(rows.order_by("-pk")[:PAGE])

    return ask


def api_list(caller: Client, goals: Goals) -> None:
    """W3: a hundred invoices of ours against the usual list that says the same."""
    address = "/api/v1/invoices?limit=100"
    ours = seconds(lambda: get(caller, address))
    rows = get(caller, address).json()["data"]
    with override_settings(ROOT_URLCONF="benchmarks.plain_api"):
        usual = seconds(lambda: get(caller, "/api/v1/invoices"))
        others = {row["id"]: row for row in get(caller, "/api/v1/invoices").json()["results"]}
    shared = [row for row in rows if row["id"] in others]
    assert shared and all(row.keys() == others[row["id"]].keys() for row in shared)
    assert all(row[name] == others[row["id"]][name] for row in shared for name in ("gross", "open", "tax_rows"))
    print(f"# API list of 100 invoices: {ours * 1000:.1f} ms, the usual one {usual * 1000:.1f} ms", flush=True)
    goals.judge("W3", usual / ours, must=1.8, aim=3, words="API list of 100 against a plain one, requests/s")


def pages(staff: Client, caller: Client, goals: Goals) -> None:
    """W1, first half: the last page against the first."""
    worst = 0.0
    for name, address in OFFICE.items():
        end = last_page(staff, address)
        first, last = (seconds(lambda at=at: get(staff, at)) for at in (address, end))  # type: ignore[misc]
        worst = max(worst, last / first)
        print(f"# {name}: first page {first * 1000:.0f} ms, last page {last * 1000:.0f} ms", flush=True)
    first, last = (seconds(lambda at=at: get(staff, at)) for at in (BOARD, last_of_board()))  # type: ignore[misc]
    worst = max(worst, last / first)
    print(f"# payments in one place: first page {first * 1000:.0f} ms, last page {last * 1000:.0f} ms", flush=True)
    for name, (model, address) in API.items():
        at_end = last_of_api(model, address)
        first, last = (seconds(lambda at=at: get(caller, at)) for at in (f"{address}?limit=100", at_end))  # type: ignore[misc]
        worst = max(worst, last / first)
        print(f"# API {name}: first hundred {first * 1000:.0f} ms, last {last * 1000:.0f} ms", flush=True)
    goals.judge("W1", worst, must=1.5, aim=1.1, words="last page / first page, the worst of nine lists", at_most=True)


def searches(staff: Client, company: Company, goals: Goals) -> None:
    """W1, second half: what a search asks the database, against the same asked of tables without an index."""
    row = Customer.objects.order_by("-pk")[7]
    invoice = Invoice.objects.order_by("-pk")[7]
    texts = {
        "a name": row.name.split()[-1], "an address": row.email, "a number": row.number,
        "an invoice's number": invoice.number, "nothing": "zzqqxx",
    }  # fmt: skip
    finders: dict[str, Callable[[Company, str], QuerySet[Any]]] = {
        "customers": finding.customers, "subscriptions": finding.subscriptions, "invoices": finding.invoices,
        "payments": finding.payments,
    }  # fmt: skip
    worst = 0.0
    for name, find in finders.items():
        told = []
        for what, text in texts.items():
            spent = in_the_database(search(find, company, text))
            with without_indexes():
                floor = in_the_database(search(find, company, text), times=3)
            worst = max(worst, spent / floor)
            told.append(f"{what} {spent * 1000:.1f} of {floor * 1000:.0f} ms")
        print(f"# search in {name}, with and without indexes: {', '.join(told)}", flush=True)
    for name, address in {**OFFICE, "board": BOARD, "box": BOX}.items():
        found = {what: asking(address, text) for what, text in (*texts.items(), ("a text that all have", "Customer"))}
        spent_on = {what: seconds(lambda at=at: staff.get(at)) for what, at in found.items()}  # type: ignore[misc]
        print(f"# {name}, whole pages: " + ", ".join(f"{what} {s * 1000:.0f} ms" for what, s in spent_on.items()))
    goals.judge("W1", worst, must=1 / 50, aim=1 / 200, words="search / scan, the worst", at_most=True, places=4)


def queries(staff: Client) -> dict[str, int]:
    """Statements of each list's page."""
    found = {}
    for name, address in {**OFFICE, "board": BOARD, "home": HOME}.items():
        get(staff, address)
        with counted() as statements:
            get(staff, address)
        found[name] = len(statements)
    return found


def home(staff: Client, company: Company, made: int, goals: Goals) -> None:
    """The dashboard's server time, whole, against one pass over the movements it sums up; R1 on the way."""
    floor = seconds(revenue.scan)
    live = seconds(lambda: get(staff, HOME))
    revenue.measure(company, made, goals)
    closed = seconds(lambda: get(staff, HOME))
    print(
        f"# the dashboard: {live / floor:.2f} of a scan of the movements, with closed months {closed / floor:.2f} "
        f"({live * 1000:.0f}, {closed * 1000:.0f} and {floor * 1000:.0f} ms)",
        flush=True,
    )


def main(*, large: bool = False, count: int = 0) -> bool:
    """Whether the goals are met."""
    goals = Goals()
    try:
        company = build(count or (1_000_000 if large else 50_000))
        made = revenue.live(company)
        staff, caller = somebody(company), program(company)
        pages(staff, caller, goals)
        searches(staff, company, goals)
        api_list(caller, goals)
        most = queries(staff)
        print("# statements: " + ", ".join(f"{name} {number}" for name, number in most.items()))
        goals.judge(
            "W4", max(most[name] for name in (*OFFICE, "board")), must=12, aim=6, at_most=True, places=0,
            words="statements of a list's page, the most",
        )  # fmt: skip
        home(staff, company, made, goals)
        return goals.met
    finally:
        stock.drop(f"{stock.PREFIX}_work")


if __name__ == "__main__":
    raise SystemExit(0 if main(count=int(sys.argv[1]) if len(sys.argv) > 1 else 0) else 1)
