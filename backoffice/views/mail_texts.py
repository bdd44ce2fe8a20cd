"""What mails say and whom they come from: texts by purpose, an editor with a preview, the sender."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from backoffice import finding
from backoffice.acting import actor, done, may, now, own, show_refusal
from backoffice.forms.mails import MailTextForm, SenderForm
from backoffice.pages import Crumb, crumbs, page
from core.models import LANGUAGE_CHOICES
from core.refusal import Refused
from core.rights import needs
from core.services import company as company_verbs
from customers.models import Customer, MailText
from customers.services import mail_layout, mail_previews, mail_texts
from customers.services.mail_texts import MailKind

LANGUAGES = dict(LANGUAGE_CHOICES)


def _above(*steps: tuple[str, str]) -> list[Crumb]:
    return crumbs((_("Settings"), reverse("backoffice:settings")), *steps)


@needs("reminder.read")
def index(request: HttpRequest) -> HttpResponse:
    """Every mail there is, by category, with the languages in which it was reworded."""
    changed: dict[str, set[str]] = {}
    for name, language in own(request, MailText).values_list("name", "language"):
        changed.setdefault(name, set()).add(language)
    groups: dict[str, dict[str, Any]] = {}
    for kind in mail_texts.names():
        group = groups.setdefault(kind.category, {"title": mail_texts.CATEGORIES[kind.category], "rows": []})
        languages = [
            {"code": code, "name": words, "is_changed": code in changed.get(kind.name, ())}
            for code, words in LANGUAGE_CHOICES
        ]
        group["rows"].append({"kind": kind, "languages": languages})
    title = _("Texts of mails")
    context = {
        "title": title, "crumbs": _above((title, "")), "groups": list(groups.values()),
        "language": request.company.language,
    }  # fmt: skip
    return page(request, "settings/mail_texts", context)


@needs("reminder.read")
def edit(request: HttpRequest, name: str, language: str) -> HttpResponse:
    """The words, what they may name, and beside them the mail as a customer would get it."""
    kind = _kind(name, language)
    company = request.company
    composer = mail_texts.Composer(company, only=(name, mail_texts.SIGNATURE))
    text = composer.text(name, language)
    has_subject = name != mail_texts.SIGNATURE
    initial = {"subject": text.subject, "body": text.body, "customer": request.GET.get("customer", "")}
    step = request.POST.get("step", "")
    form = MailTextForm(request.POST or None, has_subject=has_subject, is_kept=step != "restore", initial=initial)
    may_write = may(request, "reminder.write")
    if request.method == "POST" and step != "preview" and not may_write:
        raise Http404
    given = text
    customer = _customer(request, initial["customer"])
    if request.method == "POST" and form.is_valid():
        given = mail_texts.Text(form.cleaned_data.get("subject", ""), form.cleaned_data["body"])
        customer = _customer(request, form.cleaned_data["customer"])
        common = {"company": company, "name": name, "language": language, "by": actor(request), "at": now(request)}
        try:
            if step == "restore":
                mail_texts.restore(**common)
                return done(request, _("The product's own words hold again."), "mail-text", name, language)
            if step == "save":
                mail_texts.save(**common, subject=given.subject, body=given.body)
                return done(request, _("The text is saved."), "mail-text", name, language)
            if step == "trial":
                to = request.user.email
                mail_previews.send_trial(**common, customer=customer, text=given, to=to)
                return done(request, _("A trial goes to %(address)s.") % {"address": to}, "mail-text", name, language)
        except Refused as refused:
            show_refusal(form, refused)
    mail = None
    try:
        if not form.errors:
            mail = mail_previews.preview(
                company=company, name=name, language=language, customer=customer, subject=given.subject, body=given.body
            )
    except Refused as refused:
        if form.is_bound:
            show_refusal(form, refused)
    context = {
        "title": str(kind.title), "lead": kind.purpose, "form": form, "kind": kind, "mail": mail,
        "crumbs": _above((_("Texts of mails"), reverse("backoffice:mail-texts")), (str(kind.title), "")),
        "placeholders": [(f"{{{one}}}", words) for one, words in kind.all_placeholders.items()],
        "tabs": _tabs(name, language, request), "language_name": LANGUAGES[language], "customer": customer,
        "is_changed": own(request, MailText).filter(name=name, language=language).exists(),
        "may_write": may_write, "back": reverse("backoffice:mail-texts"),
        "looks_url": reverse("backoffice:mail-text-looks", args=[name, language])
        + (f"?customer={customer.ref}" if customer else ""),
    }  # fmt: skip
    return page(request, "settings/mail_text", context, status=422 if form.errors else 200)


@needs("reminder.read")
def looks(request: HttpRequest, name: str, language: str) -> HttpResponse:
    """The saved text in the company's layout, on a page that may load nothing."""
    _kind(name, language)
    customer = _customer(request, request.GET.get("customer", ""))
    mail = mail_previews.preview(company=request.company, name=name, language=language, customer=customer)
    return sealed(
        mail_layout.shown(request.company, language=language, subject=mail.subject, body=mail.body)
    )  # fmt: skip


def sealed(html: str) -> HttpResponse:
    """A mail shown as a page of its own: no scripts, nothing from outside, no rights."""
    response = HttpResponse(html)
    response["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox"
    response["Cache-Control"] = "private, no-store"
    return response


@needs("settings.read")
def sender(request: HttpRequest) -> HttpResponse:
    """Whom mails come from, and where their signature and logo are changed."""
    company = request.company
    form = SenderForm(request.POST or None, initial=SenderForm.initial_of(company))
    if request.method == "POST":
        if not may(request, "settings.write"):
            raise Http404
        if form.is_valid():
            try:
                company_verbs.update_company(
                    company=company, changes=form.cleaned_data, by=actor(request), at=now(request)
                )
            except Refused as refused:
                show_refusal(form, refused)
            else:
                return done(request, _("New mails come from this sender."), "mail-sender")
    title = _("Mail")
    context = {
        "title": title, "crumbs": _above((title, "")), "form": form, "back": reverse("backoffice:settings"),
        "has_logo": mail_layout.has_logo(company),
        "signatures": [
            {"language": code, "name": words} for code, words in LANGUAGE_CHOICES
        ],
    }  # fmt: skip
    return page(request, "settings/mail_sender", context, status=422 if form.errors else 200)


def _kind(name: str, language: str) -> MailKind:
    if language not in LANGUAGES:
        raise Http404
    try:
        return mail_texts.kind_of(name)
    except LookupError:
        raise Http404 from None


def _customer(request: HttpRequest, wanted: str) -> Customer | None:
    """The one that was named, else the newest."""
    rows = finding.customers(request.company, wanted) if wanted else own(request, Customer)
    return rows.filter(archived_at__isnull=True).select_related("company").order_by("-pk").first()


def _tabs(name: str, language: str, request: HttpRequest) -> list[dict[str, Any]]:
    return [
        {"label": words, "url": reverse("backoffice:mail-text", args=[name, code]), "current": code == language}
        for code, words in LANGUAGE_CHOICES
    ]
