"""One-off charges of a subscription: added, moved, invoiced early, taken back; each with its preview."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from backoffice.acting import actor, found, now, own
from backoffice.agreement_acts import act_page
from backoffice.forms.one_offs import MoveForm, OneOffForm
from backoffice.forms.sections import SectionedForm
from billing.services import acts_items
from billing.services.acting import ActResult
from core import clock
from core.rights import needs
from subscriptions.models import OneOff, Subscription


@needs("subscription.change")
def add(request: HttpRequest, ref: str) -> HttpResponse:
    subscription = found(own(request, Subscription).select_related("customer", "company"), ref)
    day = clock.today(request.company, subscription.time_zone)
    form = OneOffForm(request.POST or None, company=request.company, on=day)

    def act(values: dict[str, Any], token: str | None) -> ActResult:
        return acts_items.add_one_off(
            subscription=subscription, **form.values(), by=actor(request), at=now(request), preview_token=token
        )

    return act_page(
        request, subscription, form, act, title=_("Add a one-off charge"), told=_("The one-off charge is added.")
    )


@needs("subscription.change")
def move(request: HttpRequest, ref: str) -> HttpResponse:
    one_off = _one_off(request, ref)
    form = MoveForm(request.POST or None, initial={"service_on": one_off.service_on})

    def act(values: dict[str, Any], token: str | None) -> ActResult:
        return acts_items.move_one_off(
            one_off=one_off, service_on=values["service_on"], by=actor(request), at=now(request), preview_token=token
        )

    title = _("Move the one-off charge to another day")
    return act_page(
        request, one_off.subscription, form, act, title=title, told=_("The one-off charge has another day.")
    )


@needs("subscription.change")
def bill(request: HttpRequest, ref: str) -> HttpResponse:
    one_off = _one_off(request, ref)
    form = SectionedForm(request.POST or None)

    def act(values: dict[str, Any], token: str | None) -> ActResult:
        return acts_items.bill_one_off(one_off=one_off, by=actor(request), at=now(request), preview_token=token)

    title = _("Invoice the one-off charge today")
    return act_page(request, one_off.subscription, form, act, title=title, told=_("The one-off charge is invoiced."))


@needs("subscription.change")
def cancel(request: HttpRequest, ref: str) -> HttpResponse:
    one_off = _one_off(request, ref)
    form = SectionedForm(request.POST or None)

    def act(values: dict[str, Any], token: str | None) -> ActResult:
        return acts_items.cancel_one_off(one_off=one_off, by=actor(request), at=now(request), preview_token=token)

    title = _("Take the one-off charge back")
    return act_page(request, one_off.subscription, form, act, title=title, told=_("The one-off charge is taken back."))


def _one_off(request: HttpRequest, ref: str) -> OneOff:
    row: OneOff = found(own(request, OneOff).select_related("subscription__customer", "subscription__company"), ref)
    return row
