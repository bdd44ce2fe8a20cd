"""Reminder rules with a look at whom they would remind and with which words; what was sent and what came of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from backoffice.acting import actor, done, found, may, now, own, show_refusal, tells_refusals, today
from backoffice.exports import amount, is_asked, response
from backoffice.forms.reminders import ReminderRuleForm, SentFilter
from backoffice.lists import listing
from backoffice.pages import Crumb, crumbs, page
from core.ids import new_id
from core.refusal import Refused
from core.rights import needs
from crm.models import Reminder, ReminderRule
from crm.services import law_table, occasions, offers, reminder_rules, reminding
from crm.services.effects import Effect, effects
from crm.services.occasions import Due, Window
from crm.services.reminder_facts import Known
from customers.models import Customer
from customers.services import mail_texts
from customers.services.mail_texts import Composed, Composer
from subscriptions.models import Subscription

#: Days a rule's look ahead covers, and customers it names.
AHEAD, NAMED = 30, 10
OUTCOMES = ("opened", "accepted", "renewed", "canceled")


def tabs(current: str) -> list[dict[str, Any]]:
    """The pages of this part of the office."""
    names = [
        ("reminders", _("Rules")), ("offers", _("Offers")), ("reminders-sent", _("Sent")),
        ("renewal-law", _("Renewal law")),
    ]  # fmt: skip
    return [{"label": label, "url": reverse(f"backoffice:{name}"), "current": name == current} for name, label in names]


def _above(*steps: tuple[str, str]) -> list[Crumb]:
    return crumbs((_("Reminders"), reverse("backoffice:reminders")), *steps)


@needs("reminder.read")
def index(request: HttpRequest) -> HttpResponseBase:
    """Every rule with its figures."""
    reminder_rules.ensure_defaults(company=request.company, at=now(request))
    rows = effects(request.company, "rule")
    if is_asked(request):
        return effects_file(request, "reminder-rules", _("Reminders"), rows)
    title = _("Reminders")
    context = {"title": title, "crumbs": crumbs((title, "")), "tabs": tabs("reminders"), "rows": rows}
    return page(request, "reminders/rules", context)


def effects_file(request: HttpRequest, name: str, title: str, rows: list[Effect]) -> HttpResponseBase:
    head = [
        _("Name"), _("Currency"), _("Sent"), _("Link opened"), _("Taken"), _("Renewed"), _("Ended"), _("Cost"),
        _("Revenue kept"),
    ]  # fmt: skip

    def lines() -> Any:
        for row in rows:
            for currency in sorted({*row.cost, *row.kept}) or [""]:
                money = [amount(of.get(currency, 0), currency) if currency else "" for of in (row.cost, row.kept)]
                figures = [row.sent, row.opened, row.accepted, row.renewed, row.canceled]
                yield [row.of.name, currency, *figures, *money]

    return response(request, name, title, head, lines())


@needs("reminder.read")
def detail(request: HttpRequest, ref: str) -> HttpResponse:
    """A rule, whom it would remind today and in the next weeks, and its words with a real customer."""
    rule = found(own(request, ReminderRule).select_related("offer__discount"), ref)
    effect = next(row for row in effects(request.company, "rule") if row.of.pk == rule.pk)
    context = {
        "title": rule.name,
        "crumbs": _above((rule.name, "")),
        "rule": rule,
        "effect": effect,
        "text_title": mail_texts.kind_of(rule.text).title,
        **look_ahead(request, rule),
    }
    return page(request, "reminders/rule", context)


def look_ahead(request: HttpRequest, rule: ReminderRule) -> dict[str, Any]:
    """How many the rule would remind today and in the next days, who is first, and what they would read."""
    company, day = request.company, today(request)
    window = Window.of(rule, day, ahead=AHEAD)
    rows = occasions.found(rule, company, window, limit=NAMED)
    customers = Customer.objects.in_bulk([row.customer_id for row in rows])
    step = timedelta(days=rule.days if rule.is_after else -rule.days)
    return {
        "due_count": occasions.count(rule, company, Window.of(rule, day)),
        "ahead_count": occasions.count(rule, company, window),
        "ahead_days": AHEAD,
        "first": [(customers[row.customer_id], row, max(day, row.occasion_on + step)) for row in rows],
        "mail": _mail(rule, request, rows[0]) if rows else None,
        "mail_to": customers[rows[0].customer_id] if rows else None,
    }


def _mail(rule: ReminderRule, request: HttpRequest, row: Due) -> Composed:
    company, day = request.company, today(request)
    offer = rule.offer
    until = day + timedelta(days=offer.valid_days) if offer is not None else None
    composer = Composer(company, only=(rule.text, mail_texts.SIGNATURE))
    known = Known(company, rule, [row], day)
    return reminding.compose(composer, rule, known, row, new_id(), offer, until)


@needs("reminder.write")
def create(request: HttpRequest) -> HttpResponse:
    return _form(request, None)


@needs("reminder.write")
def edit(request: HttpRequest, ref: str) -> HttpResponse:
    return _form(request, found(own(request, ReminderRule), ref))


def _form(request: HttpRequest, rule: ReminderRule | None) -> HttpResponse:
    form = ReminderRuleForm(request.POST or None, company=request.company, rule=rule)
    if request.method == "POST" and form.is_valid():
        try:
            saved = reminder_rules.save(
                company=request.company, rule=rule, by=actor(request), at=now(request), **form.values()
            )
        except Refused as refused:
            show_refusal(form, refused)
        else:
            return done(request, _("%(name)s is saved.") % {"name": saved.name}, "reminder-rule", saved.ref)
    title = _("Edit %(name)s") % {"name": rule.name} if rule else _("New reminder rule")
    back = reverse("backoffice:reminder-rule", args=[rule.ref]) if rule else reverse("backoffice:reminders")
    context = {"title": title, "crumbs": _above((title, "")), "form": form, "back": back}
    return page(request, "form", context, status=422 if form.errors else 200)


@needs("reminder.write")
@require_POST
@tells_refusals(lambda ref: reverse("backoffice:reminder-rule", args=[ref]))
def switch(request: HttpRequest, ref: str) -> HttpResponse:
    rule = found(own(request, ReminderRule), ref)
    held = reminder_rules.switch(rule=rule, is_active=not rule.is_active, by=actor(request), at=now(request))
    words = _("%(name)s reminds from now on.") if held.is_active else _("%(name)s is switched off.")
    return done(request, words % {"name": held.name}, "reminder-rule", ref)


@needs("reminder.read")
def sent(request: HttpRequest) -> HttpResponseBase:
    """What was sent and what became of it."""
    form = SentFilter(request.GET, company=request.company)
    chosen = form.cleaned_data if form.is_valid() else {}
    rows: QuerySet[Reminder] = own(request, Reminder)
    if chosen.get("rule"):
        rows = rows.filter(rule=chosen["rule"])
    if chosen.get("outcome") in OUTCOMES:
        rows = rows.filter(**{f"{chosen['outcome']}_at__isnull": False})
    rows = rows.select_related("rule", "customer", "subscription", "offer", "message")
    if is_asked(request):
        return _sent_file(request, rows)
    context = {
        "title": _("Sent reminders"),
        "crumbs": _above((_("Sent"), "")),
        "list": listing(request, rows, sorts={"sent": "pk"}, default="-sent", form=form),
        "tabs": tabs("reminders-sent"),
        "exports": True,
    }
    return page(request, "reminders/sent", context)


def _sent_file(request: HttpRequest, rows: QuerySet[Reminder]) -> HttpResponseBase:
    head = [
        _("Sent"), _("Rule"), _("Customer"), _("Subscription"), _("Occasion"), _("Offer"), _("Link opened"), _("Taken"),
        _("Renewed"), _("Ended"),
    ]  # fmt: skip
    lines = (
        [
            row.sent_at, row.rule.name, row.customer.name, row.subscription.number if row.subscription else "",
            row.occasion_on, row.offer.name if row.offer else "", row.opened_at, row.accepted_at, row.renewed_at,
            row.canceled_at,
        ]
        for row in rows.order_by("-pk").iterator(chunk_size=2000)
    )  # fmt: skip
    return response(request, "reminders", _("Sent reminders"), head, lines)


@needs("subscription.change")
@require_POST
@tells_refusals(lambda ref: reverse("backoffice:reminders-sent"))
def take_back(request: HttpRequest, ref: str) -> HttpResponse:
    """Takes the discount of a taken offer back."""
    offers.take_back(reminder=found(own(request, Reminder), ref), by=actor(request), at=now(request))
    return done(request, _("The offer's discount is taken back from the next period on."), "reminders-sent")


def of_subscription(request: HttpRequest, subscription: Subscription) -> dict[str, Any]:
    """What was said about a subscription: the law's notices and reminders, newest first."""
    if not may(request, "reminder.read"):
        return {}
    customer = subscription.customer
    address = customer.addresses.filter(kind="billing", replaced_at__isnull=True).first()
    return {
        "doubts": law_table.against(
            country=address.country if address is not None else "",
            customer_kind=customer.kind,
            renewal_rule=subscription.renewal_rule,
            on=today(request),
        ),
        "notices": list(subscription.renewal_notices.order_by("-pk")[:NAMED]),
        "reminders": list(subscription.reminders.select_related("rule").order_by("-pk")[:NAMED]),
    }
