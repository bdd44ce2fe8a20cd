"""Who comes in as whom, and that nobody sees what belongs to others."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.urls import get_resolver, reverse

from tests import factories
from tests.portal.houses import START, TODAY, House, a_house, invited

ACTS = {"undo-cancel", "take-back", "colleague-invite", "colleague-remove", "method-for", "method-default"}
WITHOUT_A_ROW = [
    "home",
    "subscriptions",
    "invoices",
    "credit-notes",
    "methods",
    "data",
    "data-edit",
    "colleagues",
    "colleague-add",
]


def portal_patterns():
    [door] = [one for one in get_resolver().url_patterns if getattr(one, "namespace", None) == "portal"]
    return door.url_patterns


def names_with(parameter: str) -> list[str]:
    return [one.name for one in portal_patterns() if f"<str:{parameter}>" in str(one.pattern)]


def refs_of(house: House) -> dict[str, str]:
    """An outside id of this house for each address that takes one."""
    from billing.services import crediting

    at = house.company.clock_at
    note = crediting.credit_invoice(invoice=house.invoice, lines=None, reason="test", at=at, by=factories.BY)
    from customers.models import Message

    message = Message.objects.create(
        company=house.company,
        customer=house.customer,
        template="cancellation_receipt",
        language="en",
        sender="x@example.com",
        recipients=[],
        subject="Receipt",
        body="Received",
        subject_kind="subscription",
        subject_id=house.subscription.pk,
        created_at=at,
    )
    return {
        "subscription": house.subscription.ref,
        "offer": house.subscription.ref,
        "cancel": house.subscription.ref,
        "undo-cancel": house.subscription.ref,
        "receipt": message.ref,
        "invoice": house.invoice.ref,
        "invoice-pdf": house.invoice.ref,
        "credit-note": note.ref,
        "credit-note-pdf": note.ref,
        "colleague": house.owner.ref,
        "colleague-invite": house.owner.ref,
        "colleague-remove": house.owner.ref,
        "method-for": house.subscription.ref,
        "method-default": (method := a_method(house)),
        "method-remove": method,
    } | changes_of(house)


def a_method(house: House) -> str:
    """A card it saved; nobody is asked about it."""
    from billing.models import PaymentMethod
    from billing.services import gateway_accounts

    at = house.company.clock_at
    gateway = gateway_accounts.of_kind(house.company, "stripe") or gateway_accounts.save(
        company=house.company, kind="stripe", secret="sk_test", by=factories.BY, at=at
    )
    method = PaymentMethod.objects.create(
        company=house.company, customer=house.customer, gateway=gateway, kind="card", status="active",
        label="Visa •••• 4242", created_at=at,
    )  # fmt: skip
    return str(method.ref)


def changes_of(house: House) -> dict[str, str]:
    """Its subscription may be changed and paused; a second one rests, with a planned change of its own customer's."""
    from billing.services import acts_changing, acts_pausing
    from core.actors import Actor
    from subscriptions.services.change_specs import ItemChange

    plan, owner = house.subscription.plan, house.owner
    assert plan is not None
    type(plan).objects.filter(pk=plan.pk).update(customer_may_change=True, customer_may_pause=True)
    common = {"at": house.company.clock_at, "by": Actor.of_contact(owner.pk, owner.name, owner.user_id)}
    second = factories.a_subscription(house.company, house.customer, plan, on=START)
    third = factories.a_subscription(house.company, house.customer, plan, on=START)
    acts_pausing.pause(subscription=second, on=TODAY, **common)
    fewer = ItemChange(slot=third.slots.get(), quantity=Decimal(5))
    planned = acts_changing.change(subscription=third, items=[fewer], timing="period_end", on=TODAY, **common).change
    assert planned is not None
    own = house.subscription.ref
    return {"change": own, "seats": own, "pause": own, "resume": second.ref, "take-back": planned.ref}


def test_every_address_with_an_id_is_walked(house):
    assert sorted(refs_of(house)) == sorted(names_with("ref"))


def test_rows_of_another_customer_are_not_found(ada, other):
    refs = refs_of(other)
    seen = {}
    for name in names_with("ref"):
        url = reverse(f"portal:{name}", args=[refs[name]])
        seen[name] = (ada.post(url) if name in ACTS else ada.get(url)).status_code
    assert seen == dict.fromkeys(refs, 404)


def test_own_rows_open(ada, house):
    refs = refs_of(house)
    opened = {}
    for name in names_with("ref"):
        if name not in ACTS:
            opened[name] = ada.get(reverse(f"portal:{name}", args=[refs[name]])).status_code
    assert set(opened.values()) == {200}


@pytest.mark.parametrize("name", WITHOUT_A_ROW)
def test_a_page_opens(ada, name):
    assert ada.get(reverse(f"portal:{name}")).status_code == 200


def test_strangers_are_sent_to_the_sign_in(client, house):
    refs = refs_of(house)
    urls = [reverse(f"portal:{name}") for name in [*WITHOUT_A_ROW, "choose", "export"]]
    urls += [reverse(f"portal:{name}", args=[refs[name]]) for name in names_with("ref") if name not in ACTS]
    answers = {url: client.get(url) for url in urls}
    assert {answer.status_code for answer in answers.values()} == {302}
    assert all(answer["Location"].startswith("/accounts/login/") for answer in answers.values())


def test_an_id_of_another_kind_or_no_id_is_not_found(ada, house):
    assert ada.get(reverse("portal:invoice", args=[house.subscription.ref])).status_code == 404
    assert ada.get(reverse("portal:subscription", args=["nonsense"])).status_code == 404


def test_a_draft_is_not_shown(ada, house):
    from billing.services import drafting

    line = drafting.DraftLine(
        product=factories.a_product(house.company), description="Setup", quantity=Decimal(1), unit_amount=Decimal(50)
    )
    draft = drafting.create_draft(
        company=house.company,
        customer=house.customer,
        currency="EUR",
        lines=[line],
        by=factories.BY,
        at=house.company.clock_at,
    )
    assert ada.get(reverse("portal:invoice", args=[draft.ref])).status_code == 404
    assert len(ada.get(reverse("portal:invoices")).context["rows"]) == 1


def test_staff_without_a_contact_have_nothing_to_see(client, house):
    from core.models import User

    client.force_login(User.objects.create_user("staff@example.com"))
    assert client.get(reverse("portal:home")).status_code == 403


def test_an_archived_contact_stays_outside(client, house):
    from customers.services import customers

    customers.archive_contact(contact=house.owner, by=factories.BY, at=house.company.clock_at)
    client.force_login(house.owner.user)
    assert client.get(reverse("portal:home")).status_code == 403


def test_a_person_of_two_customers_chooses_one(ada, house, other):
    both = invited(other.customer, "viewer", "ada@example.com")
    assert ada.get(reverse("portal:home"))["Location"].startswith(reverse("portal:choose"))
    ada.post(reverse("portal:choose"), {"contact": both.ref})
    assert ada.get(reverse("portal:home")).context["visitor"].customer == other.customer
    assert ada.get(reverse("portal:invoice", args=[house.invoice.ref])).status_code == 404
    assert ada.get(reverse("portal:invoice", args=[other.invoice.ref])).status_code == 200


def test_nobody_chooses_a_customer_that_is_not_theirs(ada, house, other):
    ada.post(reverse("portal:choose"), {"contact": other.owner.ref})
    assert ada.get(reverse("portal:home")).context["visitor"].customer == house.customer


def test_customers_of_two_companies_keep_apart(ada, house):
    elsewhere = a_house(factories.a_company(), "bob@example.com")
    assert ada.get(reverse("portal:invoice", args=[elsewhere.invoice.ref])).status_code == 404


@pytest.mark.parametrize(
    ("role", "refused"),
    [
        ("owner", set()),
        (
            "billing",
            {
                "change", "seats", "pause", "resume", "take-back", "cancel", "undo-cancel", "colleague-add",
                "colleague", "colleague-invite", "colleague-remove",
            },
        ),
        (
            "viewer",
            {
                "change", "seats", "pause", "resume", "take-back", "cancel", "undo-cancel", "colleague-add",
                "colleague", "colleague-invite", "colleague-remove", "data-edit", "export", "offer", "method-for",
                "method-default", "method-remove",
            },
        ),
    ],
)  # fmt: skip
def test_a_role_opens_what_it_may(client, house, role, refused):
    client.force_login(house.contact(role, "bob@example.com").user)
    refs = refs_of(house)
    seen = set()
    for name in [*WITHOUT_A_ROW, "export"]:
        if client.get(reverse(f"portal:{name}")).status_code == 403:
            seen.add(name)
    for name in names_with("ref"):
        url = reverse(f"portal:{name}", args=[refs[name]])
        if (client.post(url) if name in ACTS else client.get(url)).status_code == 403:
            seen.add(name)
    assert seen == refused


def test_pages_are_not_cached(ada):
    assert "no-store" in ada.get(reverse("portal:home"))["Cache-Control"]


def test_the_portal_wears_the_companys_colour(client, company):
    from core.design.brand import contrast

    answer = client.get(reverse("portal:theme", args=[company.slug]))
    assert answer["Content-Type"].startswith("text/css")
    css = answer.content.decode()
    assert "--accent-fill:#ffd400" in css
    assert "--on-accent:#000000" in css
    assert contrast("#ffd400", "#000000") > 4.5


def test_the_logo_is_shown_and_cannot_run(client, company):
    from core.services import files

    svg = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
    company.logo = files.store(company_id=company.pk, name="logo.svg", media_type="image/svg+xml", content=svg)
    company.save(update_fields=["logo"])
    answer = client.get(reverse("portal:logo", args=[company.slug]))
    assert answer.content == svg
    assert "sandbox" in answer["Content-Security-Policy"]
    assert client.get(reverse("portal:logo", args=["nobody"])).status_code == 404
