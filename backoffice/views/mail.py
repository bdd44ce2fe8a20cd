"""Mails as they were sent, what became of them, and addresses that get none any more."""

from __future__ import annotations

from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from backoffice import finding
from backoffice.acting import actor, done, found, now, own, show_refusal, tells_refusals
from backoffice.forms.mails import BlockForm, MessageFilter, SuppressionFilter
from backoffice.lists import listing
from backoffice.pages import crumbs, page
from backoffice.views.mail_texts import sealed
from core.refusal import Refused
from core.rights import needs
from customers.models import Message, Suppression
from customers.services import mail_layout, mail_texts, messages, suppressing

#: So many customers whose name holds the text are looked through.
FOLLOWED = 500


@needs("customer.read")
def index(request: HttpRequest) -> HttpResponse:
    """All mails of the company, newest first."""
    form = MessageFilter(request.GET)
    q = finding.cleaned(request.GET.get("q", ""))
    rows = _found(request, q)
    chosen = form.cleaned_data if form.is_valid() else {}
    for name in ("state", "category", "template"):
        if chosen.get(name):
            rows = rows.filter(**{name: chosen[name]})
    listed = listing(request, rows, sorts={"id": "pk"}, default="-id", form=form, q=q)
    titles = {kind.name: kind.title for kind in mail_texts.names()}
    for row in listed.rows:
        row.title = titles.get(row.template, row.template)
    return page(request, "customers/messages", {"title": _("Mails"), "list": listed})


def _found(request: HttpRequest, q: str) -> QuerySet[Message]:
    """By the start of an address, by words of the subject, by a customer's name or number."""
    rows = own(request, Message).select_related("customer")
    if not q:
        return rows
    people = finding.customers(request.company, q).values_list("pk", flat=True)[:FOLLOWED]
    return rows.filter(Q(customer_id__in=list(people)) | Q(subject__icontains=q) | Q(recipients__contains=[q]))


@needs("customer.read")
def message(request: HttpRequest, ref: str) -> HttpResponse:
    mail = found(own(request, Message).select_related("customer"), ref)
    above = [(_("Mails"), reverse("backoffice:messages"))]
    if mail.customer:
        above = [
            (_("Customers"), reverse("backoffice:customers")),
            (mail.customer.name, reverse("backoffice:customer", args=[mail.customer.ref]) + "?tab=contacts"),
        ]
    words = dict(Message.State.choices)
    results = [
        {
            "address": address,
            "state": known.get("state", mail.state),
            "word": words.get(known.get("state", mail.state), ""),
            "words": known.get("words", ""),
        }
        for address, known in ((one, mail.results.get(one, {})) for one in mail.recipients)
    ]
    context = {"title": mail.subject, "crumbs": crumbs(*above, (mail.subject, "")), "mail": mail, "results": results}
    return page(request, "customers/message", context)


@needs("customer.read")
def looks(request: HttpRequest, ref: str) -> HttpResponse:
    """The mail in its layout, on a page that may load nothing."""
    mail = found(own(request, Message), ref)
    html = mail.html or mail_layout.shown(request.company, language=mail.language, subject=mail.subject, body=mail.body)
    return sealed(html)


@needs("customer.write")
@require_POST
@tells_refusals(lambda ref: reverse("backoffice:message", args=[ref]))
def resend(request: HttpRequest, ref: str) -> HttpResponse:
    mail = found(own(request, Message).select_related("company", "customer"), ref)
    again = messages.resend(message=mail, by=actor(request), at=now(request))
    return done(request, _("The mail goes out again."), "message", again.ref)


@needs("customer.read")
def blocked(request: HttpRequest) -> HttpResponse:
    """Addresses that get no mail, newest first."""
    form = SuppressionFilter(request.GET)
    q = finding.cleaned(request.GET.get("q", ""))
    rows = own(request, Suppression).filter(lifted_at__isnull=True).select_related("message")
    if q:
        rows = rows.filter(address__startswith=q.lower())
    chosen = form.cleaned_data if form.is_valid() else {}
    for name in ("reason", "scope"):
        if chosen.get(name):
            rows = rows.filter(**{name: chosen[name]})
    listed = listing(request, rows, sorts={"id": "pk"}, default="-id", form=form, q=q)
    title = _("Blocked addresses")
    context = {
        "title": title,
        "list": listed,
        "crumbs": crumbs((_("Mails"), reverse("backoffice:messages")), (title, "")),
    }
    return page(request, "customers/blocked", context)


@needs("customer.write")
def block(request: HttpRequest) -> HttpResponse:
    form = BlockForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            row = suppressing.suppress(
                company=request.company, reason=Suppression.Reason.MANUAL, by=actor(request), at=now(request),
                **form.cleaned_data,
            )  # fmt: skip
        except Refused as refused:
            show_refusal(form, refused)
        else:
            return done(request, _("%(address)s is blocked.") % {"address": row.address}, "blocked-addresses")
    title = _("Block an address")
    back = reverse("backoffice:blocked-addresses")
    context = {
        "title": title, "form": form, "back": back, "submit": _("Block"),
        "crumbs": crumbs((_("Mails"), reverse("backoffice:messages")), (_("Blocked addresses"), back), (title, "")),
    }  # fmt: skip
    return page(request, "form", context, status=422 if form.errors else 200)


@needs("customer.write")
@require_POST
def lift(request: HttpRequest, ref: str) -> HttpResponse:
    row = suppressing.lift(suppression=found(own(request, Suppression), ref), by=actor(request), at=now(request))
    return done(request, _("%(address)s gets mail again.") % {"address": row.address}, "blocked-addresses")
