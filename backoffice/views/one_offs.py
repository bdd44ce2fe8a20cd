"""Single charges of a subscription: added, moved, invoiced early, taken back; each with its preview."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from backoffice import previewing
from backoffice.acting import actor, done, found, now, own
from backoffice.forms.one_offs import MoveForm, OneOffForm
from backoffice.forms.sections import SectionedForm
from backoffice.pages import crumbs
from billing.services import acts_items, previews
from billing.services.acting import ActResult
from core import clock
from core.rights import needs
from subscriptions.models import OneOff, Subscription

Act = Callable[[dict[str, Any], str | None], ActResult]


@needs("subscription.change")
def add(request: HttpRequest, ref: str) -> HttpResponse:
    subscription = found(own(request, Subscription).select_related("customer", "company"), ref)
    day = clock.today(request.company, subscription.time_zone)
    form = OneOffForm(request.POST or None, company=request.company, on=day)

    def act(values: dict[str, Any], token: str | None) -> ActResult:
        return acts_items.add_one_off(
            subscription=subscription, **form.values(), by=actor(request), at=now(request), preview_token=token
        )

    return _page(request, subscription, form, act, _("Add a single charge"), _("The single charge is added."))


@needs("subscription.change")
def move(request: HttpRequest, ref: str) -> HttpResponse:
    one_off = _one_off(request, ref)
    form = MoveForm(request.POST or None, initial={"service_on": one_off.service_on})

    def act(values: dict[str, Any], token: str | None) -> ActResult:
        return acts_items.move_one_off(
            one_off=one_off, service_on=values["service_on"], by=actor(request), at=now(request), preview_token=token
        )

    title = _("Move the single charge to another day")
    return _page(request, one_off.subscription, form, act, title, _("The single charge has another day."))


@needs("subscription.change")
def bill(request: HttpRequest, ref: str) -> HttpResponse:
    one_off = _one_off(request, ref)
    form = SectionedForm(request.POST or None)

    def act(values: dict[str, Any], token: str | None) -> ActResult:
        return acts_items.bill_one_off(one_off=one_off, by=actor(request), at=now(request), preview_token=token)

    title = _("Invoice the single charge today")
    return _page(request, one_off.subscription, form, act, title, _("The single charge is invoiced."))


@needs("subscription.change")
def cancel(request: HttpRequest, ref: str) -> HttpResponse:
    one_off = _one_off(request, ref)
    form = SectionedForm(request.POST or None)

    def act(values: dict[str, Any], token: str | None) -> ActResult:
        return acts_items.cancel_one_off(one_off=one_off, by=actor(request), at=now(request), preview_token=token)

    title = _("Take the single charge back")
    return _page(request, one_off.subscription, form, act, title, _("The single charge is taken back."))


def _one_off(request: HttpRequest, ref: str) -> OneOff:
    row: OneOff = found(own(request, OneOff).select_related("subscription__customer", "subscription__company"), ref)
    return row


def _page(
    request: HttpRequest, subscription: Subscription, form: SectionedForm, act: Act, title: str, told: str
) -> HttpResponse:
    back = reverse("backoffice:subscription", args=[subscription.ref])

    def do(values: dict[str, Any], token: str) -> HttpResponse:
        act(values, token)
        return done(request, told, back)

    context = {
        "title": title,
        "crumbs": crumbs(
            (_("Subscriptions"), reverse("backoffice:subscriptions")),
            (subscription.customer.name, reverse("backoffice:customer", args=[subscription.customer.ref])),
            (subscription.number, back),
            (title, ""),
        ),
        "lead": subscription.name,
        "act": title,
        "back": back,
    }
    return previewing.act_page(
        request,
        form=form,
        preview=lambda values: previewing.of_agreement(previews.preview(lambda: act(values, None))),
        do=do,
        context=context,
    )
