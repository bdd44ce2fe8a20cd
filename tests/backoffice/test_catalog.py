"""Customers and catalog: what is typed is kept exactly, what can't be is refused beside its field."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.urls import reverse

from tests.backoffice.conftest import TODAY, Office
from tests.backoffice.test_acts import text_of
from tests.backoffice.test_settings import form_fields
from tests.factories import BY

ODD = "Tab\there, back\\slash, =1+1, <b>bold</b>, {{ 7|add:7 }}, %s"


def test_a_customer_is_made_with_its_address(office: Office) -> None:
    from customers.models import Address, Customer

    client, url = office.client("sales"), reverse("backoffice:customer-create")
    fields = form_fields(client, url) | {
        "name": "Zoë Çelik", "kind": "person", "email": "zoe@celik.example", "lines": "Rue 1\nBât. B", "city": "Lyon",
        "postal_code": "69001", "country": "FR", "language": "fr",
    }  # fmt: skip
    answer = client.post(url, fields)
    customer = Customer.objects.get(name="Zoë Çelik")
    assert answer["Location"] == reverse("backoffice:customer", args=[customer.ref])
    assert (customer.kind, customer.language, customer.sort_key) == ("person", "fr", "zoe celik")
    address = Address.objects.get(customer=customer)
    assert (address.lines, address.postal_code, address.country) == (["Rue 1", "Bât. B"], "69001", "FR")


def test_what_is_wrong_with_a_customer_stands_beside_its_field(office: Office) -> None:
    client, url = office.client(), reverse("backoffice:customer-create")
    good = form_fields(client, url) | {"name": "A", "country": "DE"}
    for field, value in {
        "name": "", "country": "XX", "vat_id": "DE12", "email": "nobody", "payment_terms_days": "400", "name ": "",
        "time_zone": "Berlin", "currency": "XAU", "lines": "1\n2\n3\n4\n5",
    }.items():  # fmt: skip
        if field.strip() != field:
            continue
        answer = client.post(url, good | {field: value})
        assert answer.status_code == 422, field
        assert list(answer.context["form"].errors) == [field], field
        assert 'class="error-summary"' in answer.content.decode()


def test_odd_texts_are_kept_and_shown_as_they_are(office: Office) -> None:
    from django.utils.html import escape

    from customers.models import Note

    client = office.client()
    client.post(reverse("backoffice:note-create", args=[office.customer.ref]), {"text": ODD})
    assert Note.objects.get().text == ODD
    page = client.get(reverse("backoffice:customer", args=[office.customer.ref]) + "?tab=notes").content.decode()
    assert escape(ODD) in page
    assert "<b>bold</b>" not in page


def test_a_nul_is_refused(office: Office) -> None:
    answer = office.client().post(reverse("backoffice:note-create", args=[office.customer.ref]), {"text": "a\0b"})
    assert answer.status_code == 422


def test_a_contact_is_invited_by_mail(office: Office) -> None:
    from customers.models import Contact, Message

    client = office.client("support")
    url = reverse("backoffice:contact-create", args=[office.customer.ref])
    client.post(url, {"name": "Ada", "email": "ada@windkraft.example", "role": "billing", "gets_invoices": "on"})
    contact = Contact.objects.get()
    assert (contact.role, contact.gets_invoices, contact.user) == ("billing", True, None)
    client.post(reverse("backoffice:contact-invite", args=[contact.ref]))
    contact.refresh_from_db()
    assert contact.user.email == "ada@windkraft.example"
    assert Message.objects.get().recipients == ["ada@windkraft.example"]
    client.post(reverse("backoffice:contact-archive", args=[contact.ref]))
    contact.refresh_from_db()
    assert contact.archived_at is not None


def test_a_contact_without_an_address_can_not_be_invited(office: Office) -> None:
    from customers.models import Contact

    client = office.client()
    client.post(reverse("backoffice:contact-create", args=[office.customer.ref]), {"name": "Ada", "role": "owner"})
    answer = client.post(reverse("backoffice:contact-invite", args=[Contact.objects.get().ref]), follow=True)
    assert "This contact has no e-mail address to invite." in text_of(answer)


def test_a_plan_is_made_with_its_first_price_and_put_on_sale(office: Office) -> None:
    from catalog.models import Plan

    client, url = office.client(), reverse("backoffice:plan-create")
    product = office.plan.items.get().product
    fields = form_fields(client, url) | {
        "code": "team", "name__en": "Team", "name__de": "Mannschaft", "product": product.pk, "quantity": "5",
        "unit_amount": "12.3456", "interval_count": "3", "minimum_count": "12", "on_sale": "on", "is_prorated": "on",
        "customer_may_cancel": "on", "terms_text__de": "Es gilt.",
    }  # fmt: skip
    for name, value in {"trial_days": 0, "notice_count": 0, "renewal_count": 0, "grace_days": 0}.items():
        fields.setdefault(name, value)
    answer = client.post(url, fields)
    assert answer.status_code == 422  # terms in German only: the company's language, English, is missing
    assert "terms_text" in str(answer.context["form"].errors) or answer.context["form"].non_field_errors()
    client.post(url, fields | {"terms_text__en": "It holds."})
    plan = Plan.objects.get(code="team")
    assert (plan.status, plan.name, plan.interval_count, plan.minimum_count) == (
        "on_sale", {"en": "Team", "de": "Mannschaft"}, 3, 12,
    )  # fmt: skip
    price = plan.items.get().prices.get()
    assert (str(price.unit_amount), plan.items.get().quantity) == ("12.3456000000", 5)


def test_a_new_price_version_leaves_sold_ones_alone(office: Office) -> None:
    client, item = office.client(), office.plan.items.get()
    url = reverse("backoffice:plan-price-add", args=[item.ref])
    fields = form_fields(client, url)
    assert client.post(url, fields | {"unit_amount": "110", "valid_from": "2015-01-01"}).status_code == 422
    assert client.post(url, fields | {"unit_amount": "110", "valid_from": "2026-04-01"}).status_code == 302
    assert [str(price.unit_amount) for price in item.prices.order_by("version")] == ["100.0000000000", "110.0000000000"]
    assert "Scheduled" in text_of(client.get(reverse("backoffice:plan", args=[office.plan.ref])))


def test_a_plan_leaves_and_enters_the_shelf(office: Office) -> None:
    client = office.client()
    client.post(reverse("backoffice:plan-retire", args=[office.plan.ref]))
    office.plan.refresh_from_db()
    assert office.plan.status == "retired"
    client.post(reverse("backoffice:plan-publish", args=[office.plan.ref]))
    office.plan.refresh_from_db()
    assert office.plan.status == "on_sale"


def test_a_product_on_sale_can_not_be_archived(office: Office) -> None:
    product = office.plan.items.get().product
    client = office.client()
    answer = client.post(reverse("backoffice:product-archive", args=[product.ref]), follow=True)
    assert "is part of plans on sale" in text_of(answer)
    client.post(reverse("backoffice:plan-retire", args=[office.plan.ref]))
    client.post(reverse("backoffice:product-archive", args=[product.ref]))
    product.refresh_from_db()
    assert product.archived_at is not None


def test_a_tax_rate_holds_from_its_day(office: Office) -> None:
    from catalog.models import TaxRate

    client, url = office.client(), reverse("backoffice:tax-create")
    fields = {"country": "DE", "region": "", "level": "standard", "percent": "20.5", "valid_from": "2027-01-01"}
    assert client.post(url, fields | {"source": "BGBl."}).status_code == 302
    assert str(TaxRate.objects.get(valid_from="2027-01-01").percent) == "20.500"
    assert client.post(url, fields | {"percent": "101"}).status_code == 422


@pytest.mark.parametrize(
    ("language", "text", "number"),
    [
        ("de", "1,5", "1.5"),
        ("de", "1.5", "1.5"),
        ("en", "1.5", "1.5"),
        ("en", "1,5", None),
        ("de", "1.234,5", None),
        ("fr", "12,50", "12.50"),
    ],
)
def test_a_number_is_read_with_the_languages_decimal_sign(language: str, text: str, number: str | None) -> None:
    from django.core.exceptions import ValidationError
    from django.utils.translation import override

    from backoffice.forms.fields import number_of

    with override(language):
        if number is None:
            with pytest.raises(ValidationError):
                number_of(text)
        else:
            assert str(number_of(text)) == number


def test_subscriptions_move_to_a_version_after_its_preview(office: Office) -> None:
    """One moves with its next period; another, whose quantity changes later, stays, with the reason."""
    from datetime import timedelta

    from billing.services import acts_changing
    from catalog.services.plans import PriceSpec, add_price_version
    from subscriptions.models import Change
    from subscriptions.services.change_specs import ItemChange

    moving, staying = office.start(), office.start()
    more = ItemChange(slot=staying.slots.get(), quantity=Decimal(2))
    acts_changing.change(subscription=staying, items=[more], timing="period_end", by=BY, at=office.at)
    spec = PriceSpec("EUR", Decimal(120), TODAY + timedelta(days=1))
    price = add_price_version(item=office.plan.items.get(), spec=spec, by=BY, at=office.at)
    client, url = office.client(), reverse("backoffice:price-move", args=[price.ref])
    assert url in client.get(reverse("backoffice:plan", args=[office.plan.ref])).content.decode()
    seen = client.get(url)
    assert [one.subscription.pk for one in seen.context["moved"]] == [moving.pk]
    assert [(one.pk, refused.code) for one, refused in seen.context["skipped"]] == [(staying.pk, "change.day_taken")]
    assert not Change.objects.filter(kind="version").exists()
    third = office.start()
    sent = {"effective_on": "", "reason": "", "step": "do", "preview_token": seen.context["shown"].token}
    assert client.post(url, sent).status_code == 422, "one more than was shown"
    sent["preview_token"] = client.get(url).context["shown"].token
    assert client.post(url, sent).status_code == 302
    assert set(Change.objects.filter(kind="version").values_list("subscription", flat=True)) == {moving.pk, third.pk}


def test_a_plan_that_binds_consumers_too_long_says_so_and_is_kept(office: Office) -> None:
    from tests.factories import a_plan

    client = office.client()
    rules = {"minimum_count": 36, "minimum_unit": "month", "notice_count": 3, "notice_unit": "month"}
    plan = a_plan(office.company, rules=rules)
    text = client.get(f"/office/plans/{plan.ref}/").content.decode()
    assert "BGB § 309 Nr. 9" in text
    assert "a first term of more than 24 months is not valid" in text
    assert "a notice of more than 1 month is not valid" in text
    fair = {"minimum_count": 12, "minimum_unit": "month", "notice_count": 1, "notice_unit": "month",
            "renewal_rule": "evergreen"}  # fmt: skip
    allowed = a_plan(office.company, rules=fair)
    assert "BGB § 309" not in client.get(f"/office/plans/{allowed.ref}/").content.decode()
