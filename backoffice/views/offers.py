"""Offers of reminders with what they brought, and the table of renewal law."""

from __future__ import annotations

from django.db.models import Exists, Q
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from backoffice.acting import actor, done, found, now, own, show_refusal, tells_refusals, today
from backoffice.exports import is_asked
from backoffice.forms.reminders import OfferForm
from backoffice.lists import listing
from backoffice.pages import crumbs, page
from backoffice.views.reminders import effects_file, tabs
from core.refusal import Refused
from core.rights import needs
from crm.models import Offer
from crm.services import law_table, offers, renewal_law
from crm.services.effects import effects
from subscriptions.models import RenewalNotice
from subscriptions.services.discount_words import how_long, taken_off


@needs("reminder.read")
def index(request: HttpRequest) -> HttpResponseBase:
    """Every offer with its figures."""
    rows = effects(request.company, "offer")
    if is_asked(request):
        return effects_file(request, "offers", _("Offers"), rows)
    title = _("Offers")
    held = {row.pk: row for row in own(request, Offer).select_related("discount")}
    for row in rows:
        discount = held[row.of.pk].discount
        row.off, row.lasts = taken_off(discount), how_long(discount)  # type: ignore[attr-defined]
    context = {
        "title": title,
        "crumbs": crumbs((_("Reminders"), reverse("backoffice:reminders")), (title, "")),
        "tabs": tabs("offers"),
        "rows": rows,
    }
    return page(request, "reminders/offers", context)


@needs("reminder.write")
def create(request: HttpRequest) -> HttpResponse:
    return _form(request, None)


@needs("reminder.write")
def edit(request: HttpRequest, ref: str) -> HttpResponse:
    return _form(request, found(own(request, Offer), ref))


def _form(request: HttpRequest, offer: Offer | None) -> HttpResponse:
    form = OfferForm(request.POST or None, company=request.company, offer=offer)
    if request.method == "POST" and form.is_valid():
        try:
            saved = offers.save(
                company=request.company, offer=offer, by=actor(request), at=now(request), **form.values()
            )
        except Refused as refused:
            show_refusal(form, refused)
        else:
            return done(request, _("%(name)s is saved.") % {"name": saved.name}, "offers")
    title = _("Edit %(name)s") % {"name": offer.name} if offer else _("New offer")
    back = reverse("backoffice:offers")
    context = {"title": title, "crumbs": crumbs((_("Offers"), back), (title, "")), "form": form, "back": back}
    return page(request, "form", context, status=422 if form.errors else 200)


@needs("reminder.write")
@require_POST
@tells_refusals(lambda ref: reverse("backoffice:offers"))
def archive(request: HttpRequest, ref: str) -> HttpResponse:
    held = offers.archive(offer=found(own(request, Offer), ref), by=actor(request), at=now(request))
    return done(request, _("%(name)s is no longer made.") % {"name": held.name}, "offers")


@needs("reminder.read")
def law(request: HttpRequest) -> HttpResponse:
    """What the law of each country asks for, when a person last checked it, and the notices of this company."""
    day = today(request)
    unproven = Q(message__state__in=renewal_law.UNPROVEN) & ~Exists(renewal_law.REACHED)
    rows = own(request, RenewalNotice).select_related("subscription__customer", "message")
    rows = rows.annotate(is_unproven=unproven)
    context = {
        "title": _("Renewal law"),
        "crumbs": crumbs((_("Reminders"), reverse("backoffice:reminders")), (_("Renewal law"), "")),
        "tabs": tabs("renewal-law"),
        "laws": [(one, one.is_stale(day), one.holds(day), effect_words(one.effect)) for one in law_table.laws()],
        "list": listing(request, rows, sorts={"made": "pk"}, default="-made"),
    }
    return page(request, "reminders/law", context)


def effect_words(effect: str) -> str:
    return str(RenewalNotice.Effect(effect).label)
