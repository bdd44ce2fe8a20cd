"""Files for the bank: direct debits by collection day, and transfers that pay refunds out."""

from __future__ import annotations

from typing import Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from backoffice.acting import actor, done, found, now, own, tells_refusals, today
from backoffice.lists import listing
from backoffice.pages import crumbs, page
from billing.models import Attempt, DebitBatch, Gateway, Refund
from billing.services import debit_files, gateway_accounts, payouts
from core.models import StoredFile
from core.refusal import Refused
from core.rights import needs

BACK: Final = "backoffice:debits"
#: Pay-out files shown, the newest first.
PAYOUTS: Final = 20
LOOKS: Final = {"made": "held", "sent": "sent", "canceled": "not_paid"}


@needs("payment.read")
def index(request: HttpRequest) -> HttpResponse:
    rows = own(request, DebitBatch).select_related("gateway")
    listed = listing(request, rows, sorts={"day": "collection_on"}, default="-day")
    for row in listed.rows:
        row.look = LOOKS.get(row.state, row.state)
    waiting = own(request, Attempt).filter(
        state=Attempt.State.CREATED, collect_on__isnull=False, batch__isnull=True
    )  # fmt: skip
    context = {
        "title": _("Files for the bank"),
        "list": listed,
        "search_name": "",
        "waiting": waiting.count(),
        "first_day": waiting.order_by("collect_on").values_list("collect_on", flat=True).first(),
        "forgotten": debit_files.forgotten(request.company, today(request)),
        "refunds": payouts.waiting(request.company)[:200],
        "payouts": [_told(row) for row in payouts.files_of(request.company).order_by("-pk")[:PAYOUTS]],
    }
    return page(request, "debits/list", context)


def _told(file: StoredFile) -> StoredFile:
    """Adds what a pay-out file pays, and how much of it the bank hasn't paid yet, in minor units."""
    refunds = payouts.refunds_in(file)
    file.count = len(refunds)  # type: ignore[attr-defined]
    file.total_minor = sum(row.amount_minor for row in refunds)  # type: ignore[attr-defined]
    file.is_under_way = any(row.status == Refund.Status.SENT for row in refunds)  # type: ignore[attr-defined]
    return file


@needs("payment.write")
@require_POST
@tells_refusals(lambda: reverse(BACK))
def make(request: HttpRequest) -> HttpResponse:
    gateway = gateway_accounts.of_kind(request.company, Gateway.Kind.SEPA)
    if gateway is None:
        raise Refused("attempt.no_way", gateway=Gateway.Kind.SEPA.label)
    made = debit_files.make_batches(
        company=request.company, gateway=gateway, on=today(request), by=actor(request), at=now(request)
    )
    if not made:
        messages.info(request, _("No direct debit is due yet."))
        return redirect(BACK)
    text = ngettext("%(count)s file is made.", "%(count)s files are made.", len(made)) % {"count": len(made)}
    return done(request, text, "debits")


def _batch(request: HttpRequest, ref: str) -> DebitBatch:
    return found(own(request, DebitBatch).select_related("gateway__company", "company", "file"), ref)


def _to(ref: str) -> str:
    return reverse("backoffice:debit-file", args=[ref])


@needs("payment.read")
def detail(request: HttpRequest, ref: str) -> HttpResponse:
    batch = _batch(request, ref)
    batch.look = LOOKS.get(batch.state, batch.state)  # type: ignore[attr-defined]
    rows = list(
        Attempt.objects.filter(batch=batch).select_related("invoice", "customer", "method").order_by("pk")[:500]
    )
    context = {
        "title": batch.message_id,
        "crumbs": crumbs((_("Files for the bank"), reverse(BACK)), (batch.message_id, "")),
        "batch": batch,
        "rows": rows,
        "credited_minor": debit_files.under_way(batch),
        "stale": debit_files.check(batch) if batch.state == DebitBatch.State.MADE else [],
    }
    return page(request, "debits/detail", context)


def _download(stored: StoredFile) -> HttpResponse:
    response = HttpResponse(bytes(stored.content), content_type=stored.media_type)
    response["Content-Disposition"] = f'attachment; filename="{stored.name}"'
    response["Cache-Control"] = "no-store"
    return response


@needs("payment.write")
def download(request: HttpRequest, ref: str) -> HttpResponse:
    """The file, as it goes to the bank: it holds account numbers."""
    return _download(_batch(request, ref).file)


@needs("payment.write")
@require_POST
@tells_refusals(_to)
def sent(request: HttpRequest, ref: str) -> HttpResponse:
    debit_files.mark_sent(
        batch=_batch(request, ref), is_at_bank=bool(request.POST.get("is_at_bank")), by=actor(request), at=now(request)
    )
    return done(request, _("The file is marked as given to the bank."), _to(ref))


@needs("payment.write")
@require_POST
@tells_refusals(_to)
def credited(request: HttpRequest, ref: str) -> HttpResponse:
    """The bank credited the file; each debit is booked by itself."""
    count = debit_files.settle_batch(batch=_batch(request, ref), on=today(request), by=actor(request), at=now(request))
    text = ngettext("%(count)s debit is settled.", "%(count)s debits are settled.", count) % {"count": count}
    return done(request, text, _to(ref))


@needs("payment.write")
@require_POST
@tells_refusals(_to)
def cancel(request: HttpRequest, ref: str) -> HttpResponse:
    debit_files.cancel_batch(
        batch=_batch(request, ref), drops=bool(request.POST.get("drops")), by=actor(request), at=now(request)
    )
    return done(request, _("The file is canceled."), _to(ref))


@needs("payment.write")
@require_POST
@tells_refusals(lambda: reverse(BACK))
def pay_out(request: HttpRequest) -> HttpResponse:
    """A file of transfers that pays the chosen refunds out."""
    refs = set(request.POST.getlist("row"))
    rows = [row for row in payouts.waiting(request.company) if row.ref in refs]
    stored = payouts.payout_file(
        company=request.company, refunds=rows, on=today(request), by=actor(request), at=now(request)
    )
    return _download(stored)


@needs("payment.write")
def payout(request: HttpRequest, ref: str) -> HttpResponse:
    """A file of transfers once more."""
    return _download(found(payouts.files_of(request.company), ref))


@needs("payment.write")
@require_POST
@tells_refusals(lambda ref: reverse(BACK))
def take_out(request: HttpRequest, ref: str) -> HttpResponse:
    """The file didn't go to the bank: its refunds wait again."""
    row = found(payouts.files_of(request.company), ref)
    count = payouts.take_out(
        company=request.company, message_id=payouts.message_id_of(row), by=actor(request), at=now(request)
    )
    text = ngettext("%(count)s refund waits again.", "%(count)s refunds wait again.", count) % {"count": count}
    return done(request, text, "debits")
