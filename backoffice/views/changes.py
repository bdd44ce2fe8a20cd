"""Changing what runs: plan, quantity, price, positions, pauses, suspensions, the billing day, ways out; each previewed.

The rule that matters: a day of the past and an exception to a rule need the right to override, at every address.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _

from backoffice import previewing
from backoffice.acting import actor, found, may, now, own
from backoffice.agreement_acts import act_page
from backoffice.forms import changes as forms_of
from backoffice.forms.changes import Held
from backoffice.forms.sections import SectionedForm
from backoffice.previewing import Shown
from backoffice.views.products import named
from billing.documents import change_words
from billing.services import acts_changing, acts_exits, acts_pausing, acts_undoing
from billing.services.acting import ActResult
from billing.services.previews import Preview
from catalog.models import Plan
from core import clock
from core.design import formats
from core.rights import needs
from subscriptions.models import Change, SlotTerms, Subscription
from subscriptions.services import moves, possible, retiming

Act = Callable[..., ActResult]
State = Subscription.State
Status = Change.Status
#: How many changes the page of a subscription lists.
SHOWN = 50


class UndoForm(SectionedForm):
    """Nothing is asked."""

    def values(self) -> dict[str, Any]:
        return {}


def of_subscription(subscription: Subscription, on: date) -> list[Any]:
    """Its changes in words, planned ones first, then the latest; `can_undo` says whether one can be taken back."""
    rows = list(subscription.changes.select_related("plan__company").order_by("-pk")[:SHOWN])
    names = change_words.product_names(subscription.company, rows)
    for row in rows:
        row.lines = change_words.lines_of(row, subscription.currency, names)  # type: ignore[attr-defined]
        row.can_undo = possible.can_undo(row, on) and subscription.state not in moves.ENDED  # type: ignore[attr-defined]
    return sorted(rows, key=lambda row: (row.status != Status.PLANNED, -row.pk))


#: The right each act needs; the page offers those that are possible, too.
RIGHT_OF = {"leave": "subscription.cancel", "terminate": "subscription.override"}


def acts_for(request: HttpRequest, subscription: Subscription, on: date) -> dict[str, bool]:
    """Which of the acts the page offers, by name."""
    return {name: may(request, RIGHT_OF.get(name, "subscription.change")) for name in possible.acts(subscription, on)}


@needs("subscription.change")
def change_plan(request: HttpRequest, ref: str) -> HttpResponse:
    subscription = _subscription(request, ref)
    plans = [(plan, named(request, plan.name)) for plan in plans_for(request, subscription)]
    form = forms_of.ChangePlanForm(request.POST or None, plans=plans, may_override=_may_override(request))
    return _page(request, subscription, form, acts_changing.change, _("Change the plan"), _("The plan is changed."))


def plans_for(request: HttpRequest, subscription: Subscription) -> list[Plan]:
    """Plans on sale that have a price in its currency, without its own."""
    rows = own(request, Plan).filter(status=Plan.Status.ON_SALE, items__prices__currency=subscription.currency)
    return list(rows.exclude(pk=subscription.plan_id).distinct().order_by("code")[:200])


@needs("subscription.change")
def change_terms(request: HttpRequest, ref: str) -> HttpResponse:
    subscription = _subscription(request, ref)
    form = forms_of.TermsForm(
        request.POST or None,
        held=_held(request, subscription),
        currency=subscription.currency,
        may_override=_may_override(request),
    )
    title = _("Change quantity or price")
    return _page(request, subscription, form, acts_changing.change, title, _("The change is agreed."))


@needs("subscription.change")
def add_position(request: HttpRequest, ref: str) -> HttpResponse:
    subscription = _subscription(request, ref)
    form = forms_of.AddPositionForm(request.POST or None, company=request.company, may_override=_may_override(request))
    title = _("Add a position")
    return _page(request, subscription, form, acts_changing.change, title, _("The position is added."))


@needs("subscription.change")
def remove_position(request: HttpRequest, ref: str) -> HttpResponse:
    subscription = _subscription(request, ref)
    form = forms_of.RemovePositionForm(
        request.POST or None, held=_held(request, subscription), may_override=_may_override(request)
    )
    title = _("Remove a position")
    return _page(request, subscription, form, acts_changing.change, title, _("The position is removed."), tone="danger")


@needs("subscription.change")
def pause(request: HttpRequest, ref: str) -> HttpResponse:
    subscription = _subscription(request, ref)
    day, running = _day(subscription), subscription.state == State.PAUSED
    form = forms_of.PauseForm(request.POST or None, on=day, running=running, may_override=_may_override(request))
    title = _("Plan the end of the pause") if running else _("Pause")
    told = _("The end of the pause is planned.") if running else _("The pause is agreed.")
    return _page(request, subscription, form, acts_pausing.pause, title, told)


@needs("subscription.change")
def resume(request: HttpRequest, ref: str) -> HttpResponse:
    subscription = _subscription(request, ref)
    day = _day(subscription)
    form = forms_of.ResumeForm(request.POST or None, on=day, may_override=_may_override(request))

    def act(**given: Any) -> ActResult:
        possible.check(subscription, "resume", day)
        return acts_pausing.resume(**given)

    return _page(request, subscription, form, act, _("Resume"), _("It goes on."))


@needs("subscription.change")
def open_pause(request: HttpRequest, ref: str) -> HttpResponse:
    """The pause that runs has no planned end any more."""
    subscription = _subscription(request, ref)

    def act(**given: Any) -> ActResult:
        possible.check(subscription, "open_pause", _day(subscription))
        return acts_pausing.undo_pause(**given)

    title = _("Leave the end of the pause open")
    return _page(request, subscription, UndoForm(request.POST or None), act, title, _("The end of the pause is open."))


@needs("subscription.change")
def suspend(request: HttpRequest, ref: str) -> HttpResponse:
    subscription = _subscription(request, ref)
    form = forms_of.SuspendForm(request.POST or None, on=_day(subscription), may_override=_may_override(request))
    return _page(request, subscription, form, acts_pausing.suspend, _("Suspend"), _("It is suspended."), tone="danger")


@needs("subscription.change")
def reinstate(request: HttpRequest, ref: str) -> HttpResponse:
    subscription = _subscription(request, ref)
    form = forms_of.ReinstateForm(request.POST or None, on=_day(subscription), may_override=_may_override(request))

    def act(**given: Any) -> ActResult:
        possible.check(subscription, "reinstate", _day(subscription))
        return acts_pausing.reinstate(**given)

    return _page(request, subscription, form, act, _("End the suspension"), _("The suspension is over."))


@needs("subscription.change")
def move_billing_day(request: HttpRequest, ref: str) -> HttpResponse:
    subscription = _subscription(request, ref)
    form = forms_of.BillingDayForm(request.POST or None, day=subscription.anchor_month_day)
    title = _("Move the billing day")
    return _page(request, subscription, form, acts_pausing.move_billing_day, title, _("The billing day is moved."))


@needs("subscription.cancel")
def withdraw(request: HttpRequest, ref: str) -> HttpResponse:
    subscription = _subscription(request, ref)
    form = forms_of.WithdrawForm(request.POST or None, may_override=_may_override(request))
    title = _("Withdrawal by a consumer")
    return _page(
        request, subscription, form, acts_exits.withdraw, title, _("The withdrawal is entered."), tone="danger"
    )


@needs("subscription.override")
def terminate(request: HttpRequest, ref: str) -> HttpResponse:
    subscription = _subscription(request, ref)
    form = forms_of.TerminateForm(request.POST or None, on=_day(subscription))
    title = _("End for good cause")
    return _page(request, subscription, form, acts_exits.terminate, title, _("The end is agreed."), tone="danger")


@needs("subscription.cancel")
def switch(request: HttpRequest, ref: str) -> HttpResponse:
    subscription = _subscription(request, ref)
    form = forms_of.SwitchForm(request.POST or None)
    title = _("Switch to another provider")
    return _page(request, subscription, form, acts_exits.switch, title, _("The switch is entered."), tone="danger")


@needs("subscription.change")
def undo(request: HttpRequest, ref: str) -> HttpResponse:
    """Takes back a planned change of any kind, or a change of terms on its day."""
    change = found(own(request, Change).select_related("subscription__customer", "subscription__company"), ref)

    def act(*, subscription: Subscription, **given: Any) -> ActResult:
        return acts_undoing.undo(change=change, **given)

    title = _("Take back: %(what)s") % {"what": change.get_kind_display()}
    form = UndoForm(request.POST or None)
    return _page(request, change.subscription, form, act, title, _("It is taken back."))


def _subscription(request: HttpRequest, ref: str) -> Subscription:
    return found(own(request, Subscription).select_related("customer", "plan", "company"), ref)


def _day(subscription: Subscription) -> date:
    return clock.today(subscription.company, subscription.time_zone)


def _may_override(request: HttpRequest) -> bool:
    """Whether override is offered; whoever sends it without the right is turned away."""
    allowed = may(request, "subscription.override")
    if not allowed and request.POST.get("override"):
        raise PermissionDenied("subscription.override")
    return allowed


def _held(request: HttpRequest, subscription: Subscription) -> list[Held]:
    """Its positions of today, or of its first day, that are not removed."""
    day, rows = max(_day(subscription), subscription.start_on), []
    slots = subscription.slots.select_related("product", "item").prefetch_related("terms", "item__prices")
    for slot in slots.order_by("position", "pk"):
        terms = retiming.terms_on(slot.terms.all(), day)
        if terms is None or terms.standing == SlotTerms.Standing.REMOVED:
            continue
        prices = slot.item.prices.all() if slot.item is not None else ()
        versions = [row for row in prices if row.currency == subscription.currency and row.pk != terms.price_id]
        rows.append(Held(slot, terms, named(request, slot.product.name), versions))
    return rows


def _page(
    request: HttpRequest, subscription: Subscription, form: forms.Form, act: Act, title: str, told: str, tone: str = ""
) -> HttpResponse:
    """Previews and does `act`, which gets `form.values()` beside who, when and the token."""
    back = reverse("backoffice:subscription", args=[subscription.ref])
    if subscription.state in moves.ENDED:
        return redirect(back)
    before = subscription.ends_on

    def acted(_values: dict[str, Any], token: str | None) -> ActResult:
        given = form.values()  # type: ignore[attr-defined]
        return act(subscription=subscription, **given, by=actor(request), at=now(request), preview_token=token)

    return act_page(
        request,
        subscription,
        form,
        acted,
        title=title,
        told=told,
        tone=tone,
        shown=lambda seen: _shown(seen, subscription, before),
    )


def _shown(seen: Preview, subscription: Subscription, before: date | None) -> Shown:
    """The preview, with the day a change holds from, what it does and which planned ones it replaces."""
    shown, change = previewing.of_agreement(seen, before_end=before), seen.change
    if change is None:
        return shown
    listed = [change, *seen.replaced]
    names = change_words.product_names(subscription.company, listed)
    told = {one.pk: "; ".join(change_words.lines_of(one, subscription.currency, names)) for one in listed}
    rows = [_row(_("First day of the new terms"), formats.day(change.effective_on))]
    if change.status == Status.UNDONE:
        rows = [_row(_("Taken back"), told[change.pk])]
    elif told[change.pk]:
        rows.append(_row(_("New terms"), told[change.pk]))
    for one in seen.replaced:
        words = _("%(what)s, planned for %(day)s") % {
            "what": told[one.pk] or one.get_kind_display(), "day": formats.day(one.effective_on),
        }  # fmt: skip
        rows.append({"label": _("Replaced"), "before": words, "after": "", "changed": True})
    return replace(shown, rows=[*rows, *shown.rows])


def _row(label: str, after: str) -> dict[str, Any]:
    return {"label": label, "before": "", "after": after, "changed": False}
