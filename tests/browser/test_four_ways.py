"""From sign-up to refund in a real browser, by card, PayPal, direct debit and bank transfer.

Staff sell a subscription of 119.00 a month; the subscriber pays the first month, the renewal collects itself, the next
one fails, the mailed link recovers it without signing in, and staff give the renewal back. What the provider or the
bank moved is compared with what the books say. TURNUS_SHOTS=folder also takes pictures, in German.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from django.core.cache import cache
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from tests import factories
from tests.browser.walking import STAFF, Pictures, Staff, Subscriber
from tests.money.bank import ERIKA, MAX, Booking, camt053, entry
from tests.money.debits import a_creditor
from tests.money.providers import Providers, a_gateway, running

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
OWN = "DE02120300000000202051"
START = date(2026, 6, 1)
RENEWED, FAILED = date(2026, 7, 1), date(2026, 8, 1)


@pytest.fixture(scope="module")
def providers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Providers]:
    with running(tmp_path_factory.mktemp("providers")) as found:
        yield found


@pytest.fixture
def company(transactional_db: None, live_server: LiveServer, settings: Any) -> Any:
    """A test company with one plan on sale: 100.00 a month, in advance, to be paid at once."""
    from core.models import User

    cache.clear()  # Codes may be asked for three times a minute.
    settings.SITE_URL = live_server.url
    made = factories.a_company(
        today=START, owner=User.objects.create_user(STAFF, name="Ada"), address_lines=["Deichstraße 9"], city="Hamburg",
        postal_code="20459", vat_id="DE136695976", iban=OWN, payment_terms_days=0,
    )  # fmt: skip
    factories.a_plan(made, amount="100.00", code="team", name={"en": "Team"})
    return made


class Walk:
    """The people, and what the company's rows say meanwhile."""

    def __init__(self, way: str, page: Page, office: Page, site: str, company: Any, providers: Providers) -> None:
        pictures = Pictures(way)
        self.way, self.company, self.providers = way, company, providers
        self.name = f"Windkraft {way.title()}"
        self.staff = Staff(office, site, pictures)
        self.subscriber = Subscriber(page, site, f"greta@{way}.example", providers, pictures)
        self.statements = 0

    @property
    def invoices(self) -> list[Any]:
        from billing.models import Invoice

        rows = Invoice.objects.filter(company=self.company, sequence__isnull=False).select_related("balance")
        return list(rows.order_by("pk"))

    def states(self) -> list[tuple[str, int]]:
        """State and open sum of each invoice."""
        return [(row.balance.status, row.balance.open_minor) for row in self.invoices]

    def attempts(self) -> list[tuple[int, str, str]]:
        """Of which invoice (by number of the month), in which state, for which reason."""
        from billing.models import Attempt

        months = {row.pk: place for place, row in enumerate(self.invoices)}
        rows = Attempt.objects.filter(company=self.company).order_by("pk")
        return [(months[row.invoice_id], row.state, row.reason) for row in rows]

    def payment(self, month: int) -> Any:
        from billing.models import Payment

        return Payment.objects.get(company=self.company, allocations__invoice=self.invoices[month])

    def refund(self) -> tuple[str, int]:
        from billing.models import Refund

        row = Refund.objects.get(company=self.company)
        return row.status, row.amount_minor

    def bank_says(self, *bookings: Booking) -> None:
        """The bank's statement of these bookings, read in by staff."""
        self.statements += 1
        entries = [entry(one, reference=f"B{self.way}{self.statements}") for one in bookings]
        self.staff.read_statement(camt053(*entries, number=str(self.statements), on=bookings[0].on, account=OWN))

    def books_agree(self) -> None:
        from billing.services import ledger_check

        assert [one.is_right for one in ledger_check.check(self.company)] == [True]


@pytest.fixture
def walk(
    request: pytest.FixtureRequest, page: Page, browser: Browser, browser_context_options: dict[str, Any],
    live_server: LiveServer, company: Any, providers: Providers,
) -> Iterator[Walk]:  # fmt: skip
    providers.faults()
    office = browser.new_context(**browser_context_options)
    complaints: list[str] = []
    desk = office.new_page()
    desk.set_default_timeout(45_000)
    desk.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    walk = Walk(request.param, page, desk, live_server.url, company, providers)
    yield walk
    office.close()
    assert complaints == []


@pytest.mark.parametrize("walk", ["card", "paypal"], indirect=True)
def test_a_provider_takes_it_month_by_month_and_gives_a_refused_one_back(walk: Walk) -> None:
    staff, subscriber, providers = walk.staff, walk.subscriber, walk.providers
    kind = {"card": "stripe", "paypal": "paypal"}[walk.way]
    a_gateway(walk.company, providers, kind)
    staff.come_in()
    staff.sell(name=walk.name, email=subscriber.email)

    # The way to pay is saved on the provider's page; the first month is paid with it.
    subscriber.come_in()
    subscriber.go("methods/")
    save_and_pay(walk, "4242424242424242")
    assert walk.states() == [("paid", 0)]

    # The renewal collects itself; the next one is refused, and tried again.
    staff.a_month_ahead()
    assert walk.states() == [("paid", 0)] * 2
    providers.faults({"kind": "decline", "reason": "insufficient_funds"})
    staff.advance(date(2026, 8, 5))
    assert walk.states() == [("paid", 0), ("paid", 0), ("open", 11900)]
    tries = walk.attempts()
    assert tries == [(0, "settled", ""), (1, "settled", ""), *[(2, "failed", "insufficient_funds")] * 2]
    staff.expect_at_risk(walk.name, "€119.00")
    subscriber.go("")
    expect(subscriber.page.get_by_text("could not be collected")).to_be_visible()
    subscriber.pictures.take(subscriber.page, "home-failed")

    # The mailed link, without signing in: another card, or PayPal once more.
    providers.faults()
    subscriber.open_mailed_link(walk.invoices[2].number)
    if walk.way == "card":
        subscriber.page.get_by_role("button", name="Pay now: Card").click()
        subscriber.type_card("5555555555554444", "Pay ")
    else:
        subscriber.page.get_by_role("button", name="Pay now: PayPal").click()
        subscriber.agree_at_paypal("Pay now")
    subscriber.expect_paid()
    staff.advance(date(2026, 8, 6))
    staff.expect_recovered(walk.name, "€119.00")

    # Staff credit the renewal and give it back through the provider.
    staff.credit(walk.invoices[1], "€119.00")
    staff.give_back(walk.payment(1), "119.00")
    expect(staff.page.get_by_text("The provider says: paid out.")).to_be_visible()
    assert walk.refund() == ("settled", 11900)
    subscriber.expect_given_back("€119.00")
    assert walk.states() == [("paid", 0)] * 3
    assert providers.moved(provider=kind) == [("charge", 11900)] * 3 + [("refund", -11900)]
    if walk.way == "card":  # PayPal's numbers of orders are never the same twice
        assert [providers.moved(invoice=row.ref, kind="charge") for row in walk.invoices] == [[("charge", 11900)]] * 3
    walk.books_agree()


def save_and_pay(walk: Walk, card: str) -> None:
    """Saves a card or a wallet, from the page of payment methods, and pays what is open with it."""
    subscriber, page = walk.subscriber, walk.subscriber.page
    if walk.way == "card":
        page.get_by_role("button", name="Card").click()
        subscriber.type_card(card, "Save")
    else:
        page.get_by_role("button", name="PayPal").click()
        subscriber.agree_at_paypal("Agree")
    expect(page.get_by_text("is saved.")).to_be_visible()
    subscriber.pictures.take(page, "methods")
    subscriber.go("")
    subscriber.pictures.take(page, "home")
    page.get_by_role("link", name="Pay now").first.click()
    subscriber.pictures.take(page, "pay")
    page.get_by_role("button", name=re.compile("Pay now: (Visa|.*@)")).click()
    subscriber.expect_paid()


@pytest.mark.parametrize("walk", ["debit"], indirect=True)
def test_a_debit_is_announced_collected_returned_by_the_bank_and_debited_elsewhere(walk: Walk) -> None:
    from billing.models import Attempt

    staff, subscriber = walk.staff, walk.subscriber
    a_creditor(walk.company)  # five days' notice
    staff.come_in()
    staff.sell(name=walk.name, email=subscriber.email)

    # The mandate is signed on the way to pay; the bank credits the debit on its day.
    subscriber.come_in()
    subscriber.go("")
    subscriber.page.get_by_role("link", name="Pay now").first.click()
    subscriber.page.get_by_role("link", name="Sign and pay").click()
    subscriber.sign_mandate(ERIKA)
    expect(subscriber.page.get_by_text("Thank you. The direct debit is planned.")).to_be_visible()
    subscriber.pictures.take(subscriber.page, "planned")
    staff.advance(date(2026, 6, 15))
    assert walk.states() == [("paid", 0)]

    # The renewal is announced and collected; the bank returns the next one: the account is closed.
    staff.a_month_ahead()
    assert walk.states() == [("paid", 0)] * 2
    staff.advance(date(2026, 8, 15))
    assert walk.states() == [("paid", 0)] * 3
    debit = Attempt.objects.get(invoice=walk.invoices[2])
    came_back = Booking("-119.00", "Ruecklastschrift", on=date(2026, 8, 14), iban=ERIKA, code="AC04",
                        end_to_end=debit.ref[4:])  # fmt: skip
    walk.bank_says(came_back)
    assert walk.states() == [("paid", 0), ("paid", 0), ("open", 11900)]
    staff.advance(date(2026, 8, 19))
    staff.expect_at_risk(walk.name, "€119.00")

    # The mailed link, without signing in: a mandate for another account.
    subscriber.open_mailed_link(walk.invoices[2].number)
    subscriber.page.get_by_role("link", name="Sign and pay").click()
    subscriber.sign_mandate(MAX)
    expect(subscriber.page.get_by_text("Thank you. The direct debit is planned.")).to_be_visible()
    staff.advance(date(2026, 8, 31))
    assert walk.states() == [("paid", 0)] * 3
    staff.expect_recovered(walk.name, "€119.00")
    paid_out(walk)


@pytest.mark.parametrize("walk", ["transfer"], indirect=True)
def test_a_transfer_is_found_by_its_reference_and_one_that_does_not_come_is_asked_for(walk: Walk) -> None:
    staff, subscriber = walk.staff, walk.subscriber
    staff.come_in()
    staff.sell(name=walk.name, email=subscriber.email)

    # The subscriber reads where to pay; the bank's statement brings it.
    subscriber.come_in()
    subscriber.go("")
    subscriber.page.get_by_role("link", name="Pay now").first.click()
    subscriber.pictures.take(subscriber.page, "pay")
    iban, reference = subscriber.reference()
    assert (iban, reference) == (OWN, walk.invoices[0].number)
    walk.bank_says(Booking("119.00", reference, on=START))
    assert walk.states() == [("paid", 0)]

    # So for the renewal; for the next one nothing comes.
    staff.a_month_ahead()
    walk.bank_says(Booking("119.00", f"Team {walk.invoices[1].number}", on=RENEWED))
    assert walk.states() == [("paid", 0)] * 2
    staff.advance(date(2026, 8, 5))
    assert walk.states() == [("paid", 0), ("paid", 0), ("open", 11900)]
    assert walk.attempts() == []
    staff.expect_at_risk(walk.name, "€119.00")

    # The mailed link says once more where to pay.
    subscriber.open_mailed_link(walk.invoices[2].number)
    iban, reference = subscriber.reference()
    assert (iban, reference) == (OWN, walk.invoices[2].number)
    walk.bank_says(Booking("119.00", reference, on=date(2026, 8, 5)))
    subscriber.page.reload()
    expect(subscriber.page.get_by_text("This invoice is paid. Thank you!")).to_be_visible()
    staff.advance(date(2026, 8, 6))
    staff.expect_recovered(walk.name, "€119.00")
    paid_out(walk)


def paid_out(walk: Walk) -> None:
    """Staff credit the renewal and pay it out by a file for the bank; its statement says that it is done."""
    from billing.models import Refund

    staff = walk.staff
    staff.credit(walk.invoices[1], "€119.00")
    staff.give_back(walk.payment(1), "119.00")
    expect(staff.page.get_by_text("The refund waits to be paid out.")).to_be_visible()
    assert walk.refund() == ("pending", 11900)
    text = staff.pay_out_file().decode()
    refund = Refund.objects.get(company=walk.company)
    assert re.findall(r'<InstdAmt Ccy="EUR">([0-9.]+)</InstdAmt>', text) == ["119.00"]
    iban = {"debit": MAX, "transfer": ERIKA}[walk.way]
    assert re.findall(r"<CdtrAcct>.*?<IBAN>(\w+)</IBAN>", text, re.DOTALL) == [iban]
    out = Booking("-119.00", refund.reason, on=clock_of(walk), iban=iban, end_to_end=refund.ref.partition("_")[2])
    walk.bank_says(out)
    assert walk.refund() == ("settled", 11900)
    staff.pictures.take(staff.page, "bank")
    walk.subscriber.expect_given_back("€119.00")
    assert walk.states() == [("paid", 0)] * 3
    walk.books_agree()


def clock_of(walk: Walk) -> date:
    walk.company.refresh_from_db()
    return walk.company.clock_at.date()
