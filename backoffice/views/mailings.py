"""Mailings: written, looked at with a real reader, tried out, started, and what came of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy
from django.views.decorators.http import require_POST

from backoffice.acting import actor, done, found, may, now, own, show_refusal, tells_refusals, today
from backoffice.exports import amount, is_asked, response
from backoffice.forms.mailings import MailingForm, StartForm, TestForm
from backoffice.lists import listing
from backoffice.pages import Crumb, crumbs, page
from catalog.models import Campaign
from core.ids import BadId
from core.refusal import Refused
from core.rights import needs
from crm.models import Mailing, MailingRecipient, Segment
from crm.services import mailing_audience, mailing_results, mailings, segments
from customers.models import Customer

#: Figures of the results page: what they count, and in which words.
FIGURES = (
    ("planned", gettext_lazy("Planned")), ("sent", gettext_lazy("Sent")), ("waiting", gettext_lazy("Waiting")),
    ("bounced", pgettext_lazy("mail", "Came back")), ("held", gettext_lazy("Not sent or failed")),
    ("clicked", gettext_lazy("Clicked")), ("accepted", gettext_lazy("Offer taken")),
    ("renewed", gettext_lazy("Renewed")), ("unsubscribed", gettext_lazy("Unsubscribed")),
    ("left_out", gettext_lazy("Left out")),
)  # fmt: skip


def _above(*steps: tuple[str, str]) -> list[Crumb]:
    return crumbs((_("Mailings"), reverse("backoffice:mailings")), *steps)


@needs("campaign.read")
def index(request: HttpRequest) -> HttpResponse:
    q = request.GET.get("q", "").replace("\0", "").strip()
    rows = own(request, Mailing)
    if q:
        rows = rows.filter(name__icontains=q)
    listed = listing(request, rows.select_related("campaign", "segment", "company"), sorts={"created": "pk"},
                     default="-created", q=q)  # fmt: skip
    counted = mailing_results.counts(listed.rows)
    for row in listed.rows:
        row.results = counted[row.pk]
    title = _("Mailings")
    return page(request, "mailings/list", {"title": title, "crumbs": crumbs((title, "")), "list": listed})


@needs("campaign.read")
def detail(request: HttpRequest, ref: str) -> HttpResponse:
    """What it says to whom, what can be done with it, and what came of it."""
    mailing = _own(request, ref)
    results = mailing_results.results([mailing])[mailing.pk]
    is_open = mailing.state in Mailing.OPEN
    context = {
        "title": mailing.name,
        "crumbs": _above((mailing.name, "")),
        "mailing": mailing,
        "results": results,
        "figures": [(what, label, results.counts[what]) for what, label in FIGURES],
        "left_out": [(MailingRecipient.LeftOut(why).label, why, count) for why, count in results.left_out.items()],
        "start": StartForm(),
        "test": TestForm(initial={"address": request.user.email}),
        **_preview(request, mailing),
    }
    if is_open:
        audience = mailing_audience.counted(
            request.company, mailing.segment, has_offer=mailing.offer_id is not None, on=today(request)
        )
        context["audience"] = audience
        context["would_leave_out"] = [
            (MailingRecipient.LeftOut(why).label, count) for why, count in sorted(audience.left_out.items())
        ]
    return page(request, "mailings/detail", context)


def _own(request: HttpRequest, ref: str) -> Mailing:
    return found(
        own(request, Mailing).select_related(
            "company", "campaign", "segment__company", "offer__discount", "offer_code"
        ),
        ref,
    )


def _preview(request: HttpRequest, mailing: Mailing) -> dict[str, Any]:
    """The mail as one real customer would read it: the one named, else the first of the segment."""
    reader = _reader(request, mailing)
    if reader is None:
        return {}
    return {"reader": reader, "mail": mailings.preview(mailing=mailing, customer=reader, at=now(request))}


def _reader(request: HttpRequest, mailing: Mailing) -> Customer | None:
    if named := request.GET.get("customer") or request.POST.get("customer"):
        try:
            return Customer.by_ref(own(request, Customer), named)
        except (BadId, Customer.DoesNotExist):
            raise Http404 from None
    return segments.members(segment=mailing.segment, on=today(request)).order_by("pk").first()


@needs("campaign.write")
def create(request: HttpRequest) -> HttpResponse:
    return _form(request, None)


@needs("campaign.write")
def edit(request: HttpRequest, ref: str) -> HttpResponse:
    return _form(request, _own(request, ref))


def _form(request: HttpRequest, mailing: Mailing | None) -> HttpResponse:
    company = request.company
    initial: dict[str, Any] = {}
    for name, model in (("segment", Segment), ("campaign", Campaign)):
        if mailing is None and request.GET.get(name):
            initial[name] = found(own(request, model), request.GET[name]).pk
    form = MailingForm(request.POST or None, company=company, mailing=mailing, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            saved = mailings.save(company=company, mailing=mailing, **form.values(), by=actor(request), at=now(request))
        except Refused as refused:
            _beside(form, refused)
        else:
            return done(request, _("%(name)s is saved.") % {"name": saved.name}, "mailing", saved.ref)
    title = _("Edit %(name)s") % {"name": mailing.name} if mailing else _("New mailing")
    back = reverse("backoffice:mailing", args=[mailing.ref]) if mailing else reverse("backoffice:mailings")
    context = {"title": title, "crumbs": _above((title, "")), "form": form, "back": back}
    return page(request, "form", context, status=422 if form.errors else 200)


def _beside(form: MailingForm, refused: Refused) -> None:
    """A refusal of the words stands beside the words in the company's language."""
    if refused.field in ("subject", "body"):
        form.add_error(f"{refused.field}__{form.company.language}", refused.message)
    else:
        show_refusal(form, refused)


@needs("campaign.write")
@require_POST
@tells_refusals(lambda ref: reverse("backoffice:mailing", args=[ref]))
def schedule(request: HttpRequest, ref: str) -> HttpResponse:
    form = StartForm(request.POST)
    if not form.is_valid():
        raise Refused("day.form", field="day")
    held = mailings.schedule(
        mailing=_own(request, ref), starts_at=form.starts_at(request.company), by=actor(request), at=now(request)
    )
    return done(request, _("%(name)s is scheduled.") % {"name": held.name}, "mailing", ref)


ACTS = {
    "pause": (mailings.pause, gettext_lazy("%(name)s is paused.")),
    "resume": (mailings.resume, gettext_lazy("%(name)s goes on.")),
    "cancel": (mailings.cancel, gettext_lazy("%(name)s is canceled; what was sent stays sent.")),
}


@needs("campaign.write")
@require_POST
@tells_refusals(lambda ref: reverse("backoffice:mailing", args=[ref]))
def act(request: HttpRequest, ref: str) -> HttpResponse:
    """Pauses, resumes or cancels, as the button says."""
    mailing = _own(request, ref)
    if request.POST.get("act") not in ACTS:
        raise Refused("field.choice", field="act", value="", choices=", ".join(ACTS))
    verb, words = ACTS[request.POST["act"]]
    held = verb(mailing=mailing, by=actor(request), at=now(request))
    return done(request, words % {"name": held.name}, "mailing", ref)


@needs("campaign.write")
@require_POST
@tells_refusals(lambda ref: reverse("backoffice:mailing", args=[ref]))
def test(request: HttpRequest, ref: str) -> HttpResponse:
    """Sends it to one address of staff, as the reader shown would get it."""
    mailing = _own(request, ref)
    form = TestForm(request.POST)
    if not form.is_valid():
        raise Refused("mailing.no_address", field="address")
    reader = _reader(request, mailing)
    if reader is None:
        raise Refused("mailing.nobody")
    address = form.cleaned_data["address"]
    mailings.send_test(mailing=mailing, customer=reader, address=address, by=actor(request), at=now(request))
    return done(request, _("A test is on its way to %(address)s.") % {"address": address}, "mailing", ref)


@needs("campaign.read")
def recipients(request: HttpRequest, ref: str) -> HttpResponseBase:
    """The rows that a figure counts."""
    mailing = _own(request, ref)
    words = {"meant": _("Everybody meant"), **{what: str(label) for what, label in FIGURES},
             **{str(why): str(why.label) for why in MailingRecipient.LeftOut}}  # fmt: skip
    what = request.GET.get("what", "meant")
    what = what if what in words else "meant"
    rows = mailing_results.recipients(mailing, what).select_related("customer", "message", "subscription")
    if is_asked(request) and may(request, "customer.read"):
        return _file(request, rows)
    context = {
        "title": words[what],
        "crumbs": _above((mailing.name, reverse("backoffice:mailing", args=[ref])), (words[what], "")),
        "list": listing(request, rows, sorts={"number": "pk"}, default="number"),
        "mailing": mailing,
        "exports": True,
    }
    return page(request, "mailings/recipients", context)


def _file(request: HttpRequest, rows: Any) -> HttpResponseBase:
    head = [
        _("Customer"), _("Name"), _("Left out"), _("Sent"), _("Clicked"), _("Offer taken"), _("Renewed"), _("State"),
    ]  # fmt: skip

    def lines() -> Iterator[list[Any]]:
        for row in rows.order_by("pk").iterator(chunk_size=2000):
            yield [
                row.customer.ref, row.customer.name, row.left_out, row.sent_at, row.clicked_at, row.accepted_at,
                row.renewed_at, row.message.state if row.message else "",
            ]  # fmt: skip

    return response(request, "mailing", _("Mailing"), head, lines())


@needs("campaign.read")
def movements(request: HttpRequest, ref: str) -> HttpResponseBase:
    """The changes of recurring revenue that count for it."""
    mailing = _own(request, ref)
    rows = mailing_results.movements(mailing).select_related("customer", "subscription")
    if is_asked(request):
        head = [_("Day"), _("Customer"), _("Subscription"), _("Kind"), _("Currency"), _("Monthly revenue")]
        lines = (
            [row.effective_on, row.customer.name, row.subscription.number, row.kind, row.currency,
             amount(row.amount_minor, row.currency)]
            for row in rows.order_by("pk").iterator(chunk_size=2000)
        )  # fmt: skip
        return response(request, "mailing-revenue", _("Monthly revenue"), head, lines)
    title = _("Monthly revenue of those who took the offer")
    context = {
        "title": title,
        "crumbs": _above((mailing.name, reverse("backoffice:mailing", args=[ref])), (title, "")),
        "list": listing(request, rows, sorts={"day": "effective_on"}, default="day"),
        "mailing": mailing,
        "exports": True,
    }
    return page(request, "mailings/movements", context)


def of_campaign(request: HttpRequest, campaign: Campaign) -> dict[str, Any]:
    """The mailings of a campaign with what they brought, and their sum; nothing for who may not see them."""
    if not may(request, "campaign.read"):
        return {}
    rows = list(campaign.mailings.select_related("company", "segment").order_by("-pk")[:50])
    results = mailing_results.results(rows)
    for row in rows:
        row.results = results[row.pk]  # type: ignore[attr-defined]
    return {"mailings": rows, "mailings_sum": mailing_results.together(results.values())}
