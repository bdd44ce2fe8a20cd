"""Prices of every model and one-off charges in the back office: typed, shown, previewed, done."""

from __future__ import annotations

from decimal import Decimal

from django.urls import reverse

from subscriptions.models import OneOff
from tests.backoffice.conftest import TODAY, Office
from tests.backoffice.test_acts import text_of, token_in
from tests.backoffice.test_settings import form_fields
from tests.factories import a_product


def test_a_plan_with_tiers_a_minimum_and_an_add_on_is_typed_and_shown(office: Office) -> None:
    from catalog.models import Plan

    client, url = office.client(), reverse("backoffice:plan-create")
    base, support = a_product(office.company), a_product(office.company)
    fields = form_fields(client, url) | {
        "code": "tiered", "name__en": "Tiered", "product": str(base.pk), "quantity": "14", "model": "graduated",
        "tier1_up_to": "10", "tier1_unit_price": "2", "tier1_flat_fee": "5", "tier2_unit_price": "1.5",
        "minimum_amount": "40", f"minimum__{office.company.currency}": "100",
        # Of another model, and not read.
        "package_size": "10",
    }  # fmt: skip
    fields.pop("unit_amount", None)
    answer = client.post(url, fields)
    assert answer.status_code == 302, answer.context["form"].errors
    plan = Plan.objects.get(code="tiered")
    price = plan.items.get().prices.get()
    assert (price.model, price.minimum_amount, plan.minimum_amounts) == ("graduated", Decimal(40), {"EUR": "100"})
    assert price.details == {"tiers": [{"up_to": "10", "unit_price": "2", "flat_fee": "5"}, {"unit_price": "1.5"}]}
    add = reverse("backoffice:plan-item-add", args=[plan.ref])
    fields = form_fields(client, add) | {"product": str(support.pk), "unit_amount": "5", "is_optional": "on"}
    assert client.post(add, fields).status_code == 302
    shown = text_of(client.get(reverse("backoffice:plan", args=[plan.ref])))
    assert "above 0 up to 10: €2.00 plus €5.00" in shown
    assert "above 10: €1.50" in shown
    assert "at least €40.00 per cycle" in shown
    assert "Add-on" in shown


def test_the_next_version_starts_with_what_the_last_one_says(office: Office) -> None:
    from catalog.services.plans import PriceSpec, add_price_version
    from tests.factories import BY

    item = office.plan.items.get()
    tiers = {"tiers": [{"up_to": "10", "unit_price": "2"}, {"unit_price": "1.5"}]}
    spec = PriceSpec("EUR", Decimal(0), TODAY, model="volume", details=tiers)
    add_price_version(item=item, spec=spec, by=BY, at=office.at)
    fields = form_fields(office.client(), reverse("backoffice:plan-price-add", args=[item.ref]))
    assert (fields["model"], fields["tier1_up_to"], fields["tier2_unit_price"]) == ("volume", "10", "1.5")


def test_tiers_that_contradict_themselves_are_told(office: Office) -> None:
    item = office.plan.items.get()
    client, url = office.client(), reverse("backoffice:plan-price-add", args=[item.ref])
    fields = form_fields(client, url) | {"model": "volume", "tier1_up_to": "10", "tier1_unit_price": "2"}
    answer = client.post(url, fields)
    assert answer.status_code == 422
    assert "The last tier has no upper bound" in text_of(answer)


def test_a_single_charge_is_previewed_added_and_taken_back(office: Office) -> None:
    subscription = office.start()
    client, url = office.client(), reverse("backoffice:one-off-add", args=[subscription.ref])
    product = a_product(office.company)
    fields = form_fields(client, url) | {
        "product": str(product.pk), "unit_amount": "80", "service_on": "2026-03-20", "description": "Move of the data",
    }  # fmt: skip
    shown = client.post(url, fields)
    assert (shown.status_code, OneOff.objects.count()) == (200, 0)
    client.post(url, fields | {"step": "do", "preview_token": token_in(shown)})
    one_off = OneOff.objects.get()
    assert (one_off.unit_amount, str(one_off.due_on)) == (Decimal(80), "2026-03-20")
    page = text_of(client.get(reverse("backoffice:subscription", args=[subscription.ref])))
    assert "Move of the data" in page
    back = reverse("backoffice:one-off-cancel", args=[one_off.ref])
    shown = client.post(back, {})
    client.post(back, {"step": "do", "preview_token": token_in(shown)})
    one_off.refresh_from_db()
    assert (one_off.due_on, one_off.canceled_at is not None) == (None, True)


def test_add_ons_are_chosen_at_the_start(office: Office) -> None:
    from catalog.services.plans import PlanItemSpec, PriceSpec, add_item
    from subscriptions.models import Subscription
    from tests.factories import BY

    prices = [PriceSpec("EUR", Decimal(5), TODAY)]
    spec = PlanItemSpec(product=a_product(office.company), prices=prices, is_optional=True)
    item = add_item(plan=office.plan, spec=spec, by=BY, at=office.at)
    query = f"?customer={office.customer.ref}&plan={office.plan.ref}"
    client, url = office.client(), reverse("backoffice:subscription-start") + query
    for chosen, count in (({}, 1), ({f"chosen_{item.pk}": "on"}, 2)):
        fields = form_fields(client, url) | chosen
        shown = client.post(url, fields)
        client.post(url, fields | {"step": "do", "preview_token": token_in(shown)})
        assert Subscription.objects.latest("pk").slots.count() == count
