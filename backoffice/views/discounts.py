"""Discounts with their codes and uses, campaigns with their effect, and discounts on a subscription."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from backoffice.acting import actor, done, found, now, own, show_refusal
from backoffice.agreement_acts import act_page
from backoffice.forms.discounts import (
    CampaignForm,
    DiscountFilter,
    DiscountForm,
    DiscountNameForm,
    GiveForm,
    OfferCodeForm,
    RedeemForm,
    words_of,
)
from backoffice.forms.sections import SectionedForm
from backoffice.lists import listing
from backoffice.pages import crumbs, page
from backoffice.views import mailings
from backoffice.views.products import named
from billing.services import acts, acts_discounting
from catalog.models import Campaign, Discount, OfferCode
from catalog.services import discounts as verbs
from core.refusal import Refused
from core.rights import needs
from reporting import discounts as figures
from subscriptions.models import AgreedDiscount, Subscription
from subscriptions.services.discount_words import how_long, taken_off

#: Uses shown on the page of a discount, the newest first.
USES = 50


@needs("catalog.read")
def index(request: HttpRequest) -> HttpResponse:
    form, q = DiscountFilter(request.GET), request.GET.get("q", "").replace("\0", "")
    chosen = form.cleaned_data if form.is_valid() else {}
    rows = own(request, Discount).filter(archived_at__isnull=chosen.get("archived") != "only")
    if chosen.get("campaign"):
        rows = rows.filter(campaign__code=chosen["campaign"])
    if q.strip():
        rows = rows.filter(
            Q(code__icontains=q.strip()) | Q(name__icontains=q.strip()) | Q(codes__code__icontains=q.strip())
        ).distinct()
    rows = rows.select_related("campaign")
    listed = listing(request, rows, sorts={"code": "code", "created": "pk"}, default="code", form=form, q=q)
    given = dict(
        AgreedDiscount.objects.filter(discount__in=[row.pk for row in listed.rows])
        .order_by()
        .values_list("discount_id")
        .annotate(count=Count("pk"))
    )
    for row in listed.rows:
        row.shown_name, row.off, row.lasts = named(request, row.name), taken_off(row), how_long(row)
        row.given_count = given.get(row.pk, 0)
    return page(request, "discounts/list", {"title": _("Discounts"), "list": listed})


@needs("catalog.read")
def detail(request: HttpRequest, ref: str) -> HttpResponse:
    discount = found(own(request, Discount).select_related("product", "price__item__plan", "campaign"), ref)
    title = named(request, discount.name)
    given = AgreedDiscount.objects.filter(company=request.company, discount=discount).order_by("-pk")
    uses = list(given.select_related("subscription__customer", "code")[:USES])
    taken = figures.taken_by(request.company, uses)
    for row in uses:
        row.taken_minor = taken.get(row.pk, 0)  # type: ignore[attr-defined]
    context = {
        "title": title,
        "crumbs": crumbs((_("Discounts"), reverse("backoffice:discounts")), (title, "")),
        "discount": discount,
        "off": taken_off(discount),
        "lasts": how_long(discount),
        "codes": list(discount.codes.order_by("code")),
        "uses": uses,
        "effect": figures.effects_of(request.company, [discount])[discount.pk],
        "price_words": words_of(discount.price) if discount.price is not None else "",
    }
    return page(request, "discounts/detail", context)


def _form(request: HttpRequest, form: SectionedForm, title: str, back: str, above: tuple[str, str]) -> HttpResponse:
    context = {"title": title, "crumbs": crumbs(above, (title, "")), "form": form, "back": back}
    return page(request, "form", context, status=422 if form.errors else 200)


@needs("catalog.write")
def create(request: HttpRequest) -> HttpResponse:
    form = DiscountForm(request.POST or None, company=request.company)
    if request.method == "POST" and form.is_valid():
        try:
            made = verbs.create_discount(company=request.company, **form.values(), by=actor(request), at=now(request))
        except Refused as refused:
            show_refusal(form, refused)
        else:
            return done(request, _("%(code)s can now be given.") % {"code": made.code}, "discount", made.ref)
    back = reverse("backoffice:discounts")
    return _form(request, form, _("New discount"), back, (_("Discounts"), back))


@needs("catalog.write")
def edit(request: HttpRequest, ref: str) -> HttpResponse:
    discount = found(own(request, Discount), ref)
    form = DiscountNameForm(
        request.POST or None, company=request.company, initial=DiscountNameForm.initial_of(discount)
    )
    back = reverse("backoffice:discount", args=[ref])
    if request.method == "POST" and form.is_valid():
        try:
            verbs.rename_discount(discount=discount, name=form.name(), by=actor(request), at=now(request))
        except Refused as refused:
            show_refusal(form, refused)
        else:
            return done(request, _("The changes are saved."), back)
    return _form(request, form, _("Rename the discount"), back, (named(request, discount.name), back))


@needs("catalog.write")
@require_POST
def archive(request: HttpRequest, ref: str) -> HttpResponse:
    discount = verbs.archive_discount(discount=found(own(request, Discount), ref), by=actor(request), at=now(request))
    return done(request, _("The discount is no longer given; what was given runs on."), "discount", discount.ref)


@needs("catalog.write")
def create_code(request: HttpRequest, ref: str) -> HttpResponse:
    discount = found(own(request, Discount), ref)
    form = OfferCodeForm(request.POST or None)
    back = reverse("backoffice:discount", args=[ref])
    if request.method == "POST" and form.is_valid():
        try:
            made = verbs.create_code(discount=discount, **form.cleaned_data, by=actor(request), at=now(request))
        except Refused as refused:
            show_refusal(form, refused)
        else:
            return done(request, _("The code %(code)s can now be used.") % {"code": made.code}, back)
    return _form(request, form, _("New offer code"), back, (named(request, discount.name), back))


@needs("catalog.write")
@require_POST
def archive_code(request: HttpRequest, ref: str) -> HttpResponse:
    offer = found(own(request, OfferCode).select_related("discount"), ref)
    verbs.archive_code(code=offer, by=actor(request), at=now(request))
    text = _("The code %(code)s is refused from now on.") % {"code": offer.code}
    return done(request, text, "discount", offer.discount.ref)


# Campaigns ------------------------------------------------------------------------------------------------------------


@needs("catalog.read")
def campaigns(request: HttpRequest) -> HttpResponse:
    q = request.GET.get("q", "").replace("\0", "")
    rows = own(request, Campaign).annotate(discount_count=Count("discounts"))
    if q.strip():
        rows = rows.filter(Q(code__icontains=q.strip()) | Q(name__icontains=q.strip()))
    listed = listing(request, rows, sorts={"code": "code", "created": "pk"}, default="code", q=q)
    above = crumbs((_("Discounts"), reverse("backoffice:discounts")), (_("Campaigns"), ""))
    return page(request, "discounts/campaigns", {"title": _("Campaigns"), "crumbs": above, "list": listed})


@needs("catalog.read")
def campaign(request: HttpRequest, ref: str) -> HttpResponse:
    row = found(own(request, Campaign), ref)
    held = list(row.discounts.order_by("code"))
    effects = figures.effects_of(request.company, held)
    for discount in held:
        discount.shown_name, discount.off = named(request, discount.name), taken_off(discount)  # type: ignore[attr-defined]
        discount.effect = effects[discount.pk]  # type: ignore[attr-defined]
    context = {
        "title": row.name,
        "crumbs": crumbs(
            (_("Discounts"), reverse("backoffice:discounts")),
            (_("Campaigns"), reverse("backoffice:campaigns")),
            (row.name, ""),
        ),
        "campaign": row,
        "discounts": held,
        "effect": figures.effect_of_campaign(row),
        **mailings.of_campaign(request, row),
    }
    return page(request, "discounts/campaign", context)


@needs("catalog.write")
def create_campaign(request: HttpRequest) -> HttpResponse:
    form = CampaignForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            made = verbs.create_campaign(
                company=request.company, **form.cleaned_data, by=actor(request), at=now(request)
            )
        except Refused as refused:
            show_refusal(form, refused)
        else:
            return done(request, _("The campaign %(name)s is there.") % {"name": made.name}, "campaign", made.ref)
    back = reverse("backoffice:campaigns")
    return _form(request, form, _("New campaign"), back, (_("Campaigns"), back))


@needs("catalog.write")
@require_POST
def archive_campaign(request: HttpRequest, ref: str) -> HttpResponse:
    row = verbs.archive_campaign(campaign=found(own(request, Campaign), ref), by=actor(request), at=now(request))
    return done(request, _("The campaign is hidden; its discounts stay as they are."), "campaign", row.ref)


# On a subscription ----------------------------------------------------------------------------------------------------


def of_subscription(subscription: Subscription) -> list[AgreedDiscount]:
    """Its discounts for its page, the live ones first: what each takes, how long, what it took so far."""
    rows = list(subscription.discounts.select_related("code").order_by("-pk")[:USES])
    taken = figures.taken_by(subscription.company, rows)
    for row in rows:
        row.off, row.lasts = taken_off(row), how_long(row)  # type: ignore[attr-defined]
        row.taken_minor = taken.get(row.pk, 0)  # type: ignore[attr-defined]
        row.can_end = row.ended_at is None and row.until_on is None  # type: ignore[attr-defined]
    return sorted(rows, key=lambda row: row.ended_at is not None)


def _subscription(request: HttpRequest, ref: str) -> Subscription:
    return found(own(request, Subscription).select_related("customer", "company"), ref)


@needs("subscription.change")
def give(request: HttpRequest, ref: str) -> HttpResponse:
    subscription = _subscription(request, ref)
    form = GiveForm(request.POST or None, subscription=subscription, language=get_language() or "en")

    def act(values: dict[str, Any], token: str | None) -> acts.ActResult:
        return acts_discounting.give(
            subscription=subscription, **values, by=actor(request), at=now(request), preview_token=token
        )

    return act_page(
        request, subscription, form, act, title=_("Give a discount"), button=_("Give the discount"),
        told=_("The discount is given."),
    )  # fmt: skip


@needs("subscription.change")
def redeem(request: HttpRequest, ref: str) -> HttpResponse:
    subscription = _subscription(request, ref)
    form = RedeemForm(request.POST or None)

    def act(values: dict[str, Any], token: str | None) -> acts.ActResult:
        return acts_discounting.redeem(
            subscription=subscription, **values, by=actor(request), at=now(request), preview_token=token
        )

    return act_page(
        request, subscription, form, act, title=_("Redeem an offer code"), button=_("Redeem the code"),
        told=_("The code is redeemed."),
    )  # fmt: skip


@needs("subscription.change")
def end(request: HttpRequest, ref: str) -> HttpResponse:
    rows = own(request, AgreedDiscount).select_related("subscription__customer", "subscription__company", "code")
    agreed = found(rows, ref)
    form = SectionedForm(request.POST or None)

    def act(values: dict[str, Any], token: str | None) -> acts.ActResult:
        return acts_discounting.end(agreed=agreed, by=actor(request), at=now(request), preview_token=token)

    return act_page(
        request, agreed.subscription, form, act, title=_("Take back the discount %(name)s") % {"name": agreed.name},
        button=_("Take the discount back"), tone="danger", told=_("The discount ends with the running period."),
    )  # fmt: skip
