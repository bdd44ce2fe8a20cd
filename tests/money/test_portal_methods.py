"""Payment methods in the portal and by a mailed link: added on the provider's page, chosen, removed, by who may."""

from __future__ import annotations

from datetime import timedelta
from html import unescape

import pytest
from django.core.cache import cache

from tests.factories import BY, TODAY, at_noon
from tests.money.providers import a_card, a_company, a_customer, a_gateway, billed
from tests.money.test_pay_page import pay_on

pytestmark = pytest.mark.django_db


@pytest.fixture
def company():
    cache.clear()
    return a_company(iban="DE02120300000000202051")


@pytest.fixture
def customer(company):
    return a_customer(company)


def sign_in(client, customer, role="owner", email="ada@example.com"):
    from customers.services import customers

    contact = customers.add_contact(customer=customer, name="Ada", email=email, role=role, by=BY, at=at_noon(TODAY))
    customers.invite_to_portal(contact=contact, by=BY, at=at_noon(TODAY))
    contact.refresh_from_db()
    client.force_login(contact.user)
    return contact


def test_a_card_is_added_on_the_providers_page(client, company, customer, providers):
    from billing.models import PaymentMethod

    gateway = a_gateway(company, providers)
    sign_in(client, customer)
    answer = client.post(f"/portal/methods/add/{gateway.ref}/")
    assert answer["Location"] == "/pay/go/"
    method = PaymentMethod.objects.get()
    assert method.status == "pending"
    on = client.get("/pay/go/").content.decode()
    page = f"{providers.stripe}/c/pay/{method.setup_id}"
    assert page in on
    back = pay_on(page)
    assert back == "http://testserver/portal/methods/back/"
    shown = client.get("/portal/methods/back/", follow=True).content.decode()
    method.refresh_from_db()
    assert (method.status, method.is_default) == ("active", True)
    assert f"{method.label} is saved." in shown


def relayed():
    from core.services import outbox

    return outbox.relay(worker="test", kinds=["forget_method"]).done


def detached(providers, method):
    return [row["type"] for row in providers.events(method.external_id)].count("payment_method.detached")


def come_back(method):
    """The provider has it still, and its page gives the same one again."""
    from billing.services import payment_methods, sending

    return payment_methods.keep(
        gateway=method.gateway, customer=method.customer, found=sending.saved(method), by=BY, at=at_noon(TODAY)
    )


def test_a_method_that_came_back_is_forgotten_at_its_second_removal(company, customer, providers):
    from billing.services import payment_methods
    from core.models import Outbox

    card = a_card(customer, a_gateway(company, providers))
    payment_methods.remove(method=card, by=BY, at=at_noon(TODAY))
    back = come_back(card)
    assert (back.pk, back.status) == (card.pk, "active")
    # Before the provider was told: it keeps what is in use again.
    assert (relayed(), detached(providers, card)) == (1, 0)
    payment_methods.remove(method=back, by=BY, at=at_noon(TODAY))
    assert (relayed(), detached(providers, card)) == (1, 1)
    assert Outbox.objects.filter(kind="forget_method", state="done").count() == 2


def test_the_list_says_state_expiry_and_which_subscription(client, company, customer, providers):
    from billing.services import payment_methods
    from subscriptions.models import Subscription

    gateway = a_gateway(company, providers)
    card, other = a_card(customer, gateway), a_card(customer, gateway, "pm_card_mastercard")
    billed(company, customer)
    subscription = Subscription.objects.get()
    sign_in(client, customer)
    client.post(f"/portal/methods/for/{subscription.ref}/", {"method": other.ref})
    assert subscription.paid_by.method == other
    payment_methods.gone(method=other, at=at_noon(TODAY))
    page = client.get("/portal/methods/").content.decode()
    assert card.label in page
    assert "the payment method was removed" in page
    assert f"{subscription.name}" in page
    assert page.index("Default") < page.index(other.label)


def test_another_becomes_the_default_and_the_rest_can_be_removed(client, company, customer, providers):
    gateway = a_gateway(company, providers)
    card, other = a_card(customer, gateway), a_card(customer, gateway, "pm_card_mastercard")
    sign_in(client, customer)
    client.post(f"/portal/methods/{other.ref}/default/")
    other.refresh_from_db()
    assert other.is_default
    assert "It is never charged again." in client.get(f"/portal/methods/{card.ref}/remove/").content.decode()
    card.refresh_from_db()
    assert card.status == "active"
    client.post(f"/portal/methods/{card.ref}/remove/")
    card.refresh_from_db()
    assert card.status == "removed"
    assert client.get(f"/portal/methods/{card.ref}/remove/").status_code == 404


def test_who_only_looks_changes_nothing(client, company, customer, providers):
    gateway = a_gateway(company, providers)
    card = a_card(customer, gateway)
    sign_in(client, customer, role="viewer")
    assert card.label in client.get("/portal/methods/").content.decode()
    for path in (f"add/{gateway.ref}", f"{card.ref}/default", f"{card.ref}/remove", "mandate"):
        assert client.post(f"/portal/methods/{path}/").status_code == 403
    card.refresh_from_db()
    assert card.status == "active"


def test_nobody_reaches_anothers_method(client, company, customer, providers):
    card = a_card(a_customer(company), a_gateway(company, providers))
    sign_in(client, customer)
    for path in (f"{card.ref}/default", f"{card.ref}/remove"):
        assert client.post(f"/portal/methods/{path}/").status_code == 404
    card.refresh_from_db()
    assert card.status == "active"


def test_a_saved_card_pays_at_once_when_signed_in(client, company, customer, providers):
    from billing.services import pay_links

    card = a_card(customer, a_gateway(company, providers))
    invoice = billed(company, customer)
    sign_in(client, customer)
    answer = client.post(f"/pay/{pay_links.token_of(invoice, on=TODAY)}/", {"way": card.ref})
    assert "your payment has arrived" in client.get(answer["Location"]).content.decode()
    assert providers.moved(invoice=invoice.ref) == [("charge", 1190)]


def test_a_failed_payment_has_its_banner_with_one_way_to_mend_it(client, company, customer, providers):
    from billing.services import collecting

    a_card(customer, a_gateway(company, providers), "pm_card_chargeCustomerFail")
    invoice = billed(company, customer)
    collecting.collect_tick(company, at_noon(TODAY))
    sign_in(client, customer)
    page = client.get("/portal/").content.decode()
    assert f"Invoice {invoice.number} could not be collected: the bank refused without saying why." in page
    assert "Pay now" in page


def test_a_card_that_ends_soon_has_its_banner(client, company, customer, providers):
    from billing.models import PaymentMethod

    card = a_card(customer, a_gateway(company, providers))
    PaymentMethod.objects.filter(pk=card.pk).update(expires_on=TODAY + timedelta(days=31))
    sign_in(client, customer)
    assert "expires soon" not in client.get("/portal/").content.decode()
    PaymentMethod.objects.filter(pk=card.pk).update(expires_on=TODAY + timedelta(days=30))
    assert f"{card.label} expires soon." in client.get("/portal/").content.decode()


def test_a_card_that_a_subscription_names_has_its_banner_though_another_is_the_default(
    client, company, customer, providers
):
    from billing.models import PaymentMethod
    from billing.services import payment_methods
    from subscriptions.models import Subscription

    gateway = a_gateway(company, providers)
    a_card(customer, gateway)
    other = a_card(customer, gateway, "pm_card_mastercard")
    billed(company, customer)
    PaymentMethod.objects.filter(pk=other.pk).update(status="broken")
    sign_in(client, customer)
    assert "can't be charged any more" not in unescape(client.get("/portal/").content.decode())
    PaymentMethod.objects.filter(pk=other.pk).update(status="active")
    other.refresh_from_db()
    payment_methods.use_for(subscription=Subscription.objects.get(), method=other, by=BY, at=at_noon(TODAY))
    PaymentMethod.objects.filter(pk=other.pk).update(status="broken")
    assert f"{other.label} can't be charged any more." in unescape(client.get("/portal/").content.decode())


def test_a_mailed_link_adds_a_method_and_shows_none(client, company, customer, providers):
    from billing.models import PaymentMethod
    from billing.services import pay_links

    gateway = a_gateway(company, providers)
    card = a_card(customer, gateway)
    where = f"/pay/methods/{pay_links.method_token(customer, on=TODAY)}/"
    assert card.label not in client.get(where).content.decode()
    client.post(where, {"gateway": gateway.ref})
    method = PaymentMethod.objects.get(status="pending")
    back = pay_on(f"{providers.stripe}/c/pay/{method.setup_id}", number="5555555555554444")
    shown = client.get(back.replace("http://testserver", "")).content.decode()
    method.refresh_from_db()
    assert method.status == "active"
    assert f"{method.label} is saved." in shown


def test_a_link_for_methods_is_over_after_30_days(client, company, customer):
    from billing.services import pay_links

    for days, status in ((30, 200), (31, 410)):
        token = pay_links.method_token(customer, on=TODAY - timedelta(days=days))
        assert client.get(f"/pay/methods/{token}/").status_code == status


def test_a_consumer_signs_no_business_mandate(client, company):
    from billing.models import Mandate
    from billing.services import gateway_accounts

    gateway_accounts.save(
        company=company, kind="sepa", creditor_id="DE98ZZZ09999999999", iban=company.iban, by=BY, at=at_noon(TODAY)
    )
    sign_in(client, a_customer(company, kind="person"))
    assert "For companies (B2B)" not in client.get("/portal/methods/mandate/?scheme=B2B").content.decode()
    given = {"iban": "DE89370400440532013000", "holder": "Ada", "signed_by": "Ada", "agrees": "on", "scheme": "B2B"}
    assert client.post("/portal/methods/mandate/", given).status_code == 422
    client.post("/portal/methods/mandate/", given | {"scheme": "CORE"})
    assert Mandate.objects.get().scheme == "CORE"
