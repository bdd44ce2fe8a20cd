"""Preview, then do: one page holds the form and, beside it, what the act would do; its sum stands on the button.

The same address answers both: without `step=do` it shows the preview (also to htmx while somebody types), with it
the act happens, carrying the token of the preview that was shown.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from backoffice.acting import show_refusal
from backoffice.pages import page
from billing.services.previews import Preview, PreviewDocument, Upcoming
from billing.services.trying import Trial
from core.design import formats
from core.refusal import Refused


@dataclass(slots=True)
class Shown:
    """A preview as the page draws it. `sum_minor` stands on the button."""

    rows: list[dict[str, Any]]
    currency: str
    now_minor: int | None
    now_note: str
    mails: list[str]
    documents: list[PreviewDocument]
    token: str
    next_minor: int | None = None
    next_on: date | None = None
    next_note: str = ""
    sum_minor: int | None = None
    upcoming: list[Upcoming] = field(default_factory=list)


def _row(label: str, before: str, after: str) -> dict[str, Any]:
    return {"label": label, "before": before, "after": after, "changed": before != after}


def of_agreement(seen: Preview, *, before_end: date | None = None) -> Shown:
    """The preview of an act on a subscription."""
    currency = seen.currency

    def amount(minor: int) -> str:
        return formats.money(minor, currency)

    def last_day(day: date | None) -> str:
        return formats.day(day) if day else _("goes on")

    first = seen.next[0] if seen.next else None
    return Shown(
        rows=[
            _row(_("Monthly recurring revenue"), amount(seen.mrr_before), amount(seen.mrr_after)),
            _row(_("Last day of service"), last_day(before_end), last_day(seen.ends_on)),
        ],
        currency=currency,
        now_minor=seen.money_now,
        now_note=_documents_in_words(seen.documents),
        mails=[_("To %(address)s, with the document") % {"address": address} for address in seen.mails],
        documents=seen.documents,
        token=seen.token,
        next_minor=first.gross if first else None,
        next_on=first.on if first else None,
        next_note="" if first else _("Nothing further will be billed."),
        sum_minor=seen.money_now,
        upcoming=seen.next,
    )


def of_trial(seen: Trial, *, sum_minor: int | None = None) -> Shown:
    """The preview of an act on documents or money."""
    currency, before, after = seen.currency, seen.before, seen.after

    def amount(minor: int) -> str:
        return formats.money(minor, currency)

    rows = [
        _row(_("Open on invoices"), amount(before.open_minor), amount(after.open_minor)),
        _row(_("Account credit"), amount(before.credit_minor), amount(after.credit_minor)),
    ]
    if before.unallocated_minor or after.unallocated_minor:
        rows.append(_row(_("Not allocated"), amount(before.unallocated_minor), amount(after.unallocated_minor)))
    if before.to_pay_out_minor or after.to_pay_out_minor:
        rows.append(_row(_("To be paid out"), amount(before.to_pay_out_minor), amount(after.to_pay_out_minor)))
    money = seen.money_now if sum_minor is None else sum_minor
    return Shown(
        rows=rows,
        currency=currency,
        now_minor=money,
        now_note=_documents_in_words(seen.documents),
        mails=[_("To %(address)s, with the document") % {"address": address} for address in seen.mails],
        documents=seen.documents,
        token=seen.token,
        sum_minor=money,
    )


def _documents_in_words(documents: list[PreviewDocument]) -> str:
    invoices = sum(document.kind == "invoice" for document in documents)
    notes = len(documents) - invoices
    words = []
    if invoices:
        words.append(_("Invoices: %(count)s") % {"count": invoices})
    if notes:
        words.append(_("Credit notes: %(count)s") % {"count": notes})
    return ", ".join(words) or _("No document is written.")


def start_with_initial(form: forms.Form) -> None:
    """Fills a form that was not sent, or sent empty, as if its initial values had been sent."""
    if form.is_bound:
        return
    data: dict[str, Any] = {}
    for name, entry in form.fields.items():
        value = entry.prepare_value(form.get_initial_for_field(entry, name))
        if value is not None and value is not False:
            data[form.add_prefix(name)] = value.isoformat() if isinstance(value, date) else str(value)
    form.data, form.is_bound = data, True


def act_page(
    request: HttpRequest,
    *,
    form: forms.Form,
    preview: Callable[[dict[str, Any]], Shown],
    do: Callable[[dict[str, Any], str], HttpResponse],
    context: dict[str, Any],
    template: str = "act",
) -> HttpResponse:
    """The page of an act. `preview` and `do` get the form's values; both may raise `Refused`.

    What a fresh form starts with is previewed at once, if it is complete. `context` names title, crumbs, `act` (the
    words on the button), `tone`, `back`.
    """
    shown: Shown | None = None
    refused = ""
    posted = request.method == "POST"
    start_with_initial(form)
    if form.is_valid():
        try:
            if posted and request.POST.get("step") == "do" and request.POST.get("preview_token"):
                return do(form.cleaned_data, request.POST["preview_token"])
        except Refused as refusal:
            if refusal.code == "preview.differs":
                refused = refusal.message
            else:
                show_refusal(form, refusal)
        if not form.errors:
            try:
                shown = preview(form.cleaned_data)
            except Refused as refusal:
                if posted:
                    show_refusal(form, refusal)
                refused = refusal.message
    if not posted and form.errors:
        form.is_bound, form._errors = False, None
    if shown is not None and shown.sum_minor is not None:
        context = {**context, "sum_minor": abs(shown.sum_minor), "sum_currency": shown.currency}
    values = {"form": form, "shown": shown, "refused": refused, **context}
    return page(request, template, values, status=422 if posted and (form.errors or refused) else 200)
