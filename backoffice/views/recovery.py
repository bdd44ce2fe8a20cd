"""The recovery board: every open dunning case in its lane, with what is at risk and what came back; acts on them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext_lazy
from django.views.decorators.http import require_POST

from backoffice.acting import actor, done, found, may, now, on_button, own, show_refusal, tells_refusals, today
from backoffice.forms.dunning import CaseFilter, PauseForm, PromiseForm, WhyForm
from backoffice.lists import listing, tabs_of
from backoffice.pages import crumbs, page
from backoffice.views.collecting import attempts_of
from billing.models import Claim, DunningCase
from billing.services import claims as claim_verbs
from billing.services import dunning, dunning_acts, dunning_board, dunning_following, dunning_words, lateness
from core.refusal import Refused
from core.rights import needs

VIEWS: Final = (
    ("", gettext_lazy("Board")),
    ("list", gettext_lazy("List")),
    ("closed", pgettext_lazy("cases of dunning", "Closed")),
)
#: Cases shown in a lane; the list shows the others.
SHOWN: Final = 12
BACK: Final = "backoffice:recovery"
#: Rights an act needs beside that of the door.
RIGHTS: Final = {"write_off": "invoice.credit"}
#: Acts that move money: they are shown before they are done, with their sum on the button.
MOVES: Final = ("retry", "write_off")


def _cases(request: HttpRequest) -> Any:
    return own(request, DunningCase).select_related("customer__company", "company", "policy")


@needs("payment.read")
def index(request: HttpRequest) -> HttpResponse:
    view = request.GET.get("view", "")
    if view == "closed":
        return _list(request, None)
    seen = dunning_board.board(request.company, today(request))
    if view == "list":
        return _list(request, seen)
    wanted = [pk for lane in seen.lanes for pk in lane.case_ids[:SHOWN]]
    rows = {row.pk: row for row in _cases(request).filter(pk__in=wanted)}
    lanes = [
        {"lane": lane, "at_risk": dict(lane.at_risk), "rows": [rows[pk] for pk in lane.case_ids[:SHOWN] if pk in rows],
         "more": max(lane.count - SHOWN, 0)}
        for lane in seen.lanes
    ]  # fmt: skip
    context = {
        "title": _("Recovery"),
        "lanes": lanes,
        "count": sum(lane.count for lane in seen.lanes),
        "at_risk": _sums(lane.at_risk for lane in seen.lanes),
        "recovered": seen.recovered,
        "days": dunning_board.RECOVERED_DAYS,
        "tabs": tabs_of(request, "view", VIEWS, ""),
    }
    return page(request, "recovery/board", context)


def _sums(parts: Any) -> dict[str, int]:
    sums: dict[str, int] = {}
    for part in parts:
        for currency, minor in part.items():
            sums[currency] = sums.get(currency, 0) + minor
    return sums


def _list(request: HttpRequest, seen: dunning_board.Board | None) -> HttpResponse:
    form = CaseFilter(request.GET)
    chosen = form.cleaned_data if form.is_valid() else {}
    rows = _cases(request)
    if seen is None:
        rows = rows.exclude(state__in=dunning_acts.LIVE)
    else:
        rows = rows.filter(state__in=dunning_acts.LIVE)
        if chosen.get("lane"):
            rows = rows.filter(pk__in=seen.lane(chosen["lane"]).case_ids)
    for name in ("state", "currency"):
        if chosen.get(name):
            rows = rows.filter(**{name: chosen[name]})
    listed = listing(request, rows, sorts={"opened": "pk"}, default="-opened", form=form)
    listed.tabs = tabs_of(request, "view", VIEWS, "closed" if seen is None else "list")
    for row in listed.rows:
        lane = seen.lane_of.get(row.pk, "") if seen else ""
        row.lane = str(dunning_board.LANES[lane]) if lane else ""
    context = {
        "title": _("Recovery"),
        "list": listed,
        "search_name": "",
        "is_open": seen is not None,
        "acts": _acts(request) if seen is not None else (),
        "totals": {} if seen is None else _sums(lane.at_risk for lane in seen.lanes),
    }
    return page(request, "recovery/list", context)


def _acts(request: HttpRequest) -> list[tuple[str, Any]]:
    """The acts this person may do."""
    return [(name, words) for name, words in dunning_acts.ACTS.items()
            if may(request, RIGHTS.get(name, "payment.write"))]  # fmt: skip


def _case(request: HttpRequest, ref: str) -> DunningCase:
    return found(_cases(request), ref)


def _address(ref: str) -> str:
    return reverse("backoffice:dunning-case", args=[ref])


@needs("payment.read")
def detail(request: HttpRequest, ref: str) -> HttpResponse:
    case = _case(request, ref)
    is_open = case.state in dunning_acts.LIVE
    late = lateness.read(request.company, case.customer_id, case.currency, today(request)) if is_open else []
    entries = list(case.entries.select_related("attempt").order_by("-pk")[:100])
    for entry in entries:
        entry.action_word = dunning_words.action_words(entry.action)
        entry.reason_word = dunning_words.reason_words(entry.reason) if entry.reason else ""
    steps = dunning_following.steps_of(case)
    left = [step for step in steps if str(step.pk) not in case.handled] if is_open else []
    for step in left:
        step.due_on = dunning_following.due_on(case, step, steps)
    context = {
        "title": case.customer.name,
        "crumbs": crumbs((_("Recovery"), reverse(BACK)), (case.customer.name, "")),
        "case": case,
        "is_open": is_open,
        "late": [
            {"late": one, "stop": dunning_words.reason_words(one.stop) if one.stop else "",
             "attempts": attempts_of(one.invoice.pk)[:1]}
            for one in late[:20]
        ],
        "claims": Claim.objects.filter(case=case).select_related("invoice").order_by("-pk")[:50],
        "entries": entries,
        "left": left,
        "acts": [(name, words) for name, words in _acts(request)
                 if name not in dunning_acts.REASONED and not (name == "resume" and case.state == "open")],
        "moves": MOVES,
    }  # fmt: skip
    return page(request, "recovery/case", context)


@needs("payment.write")
@require_POST
@tells_refusals(_address)
def act(request: HttpRequest, ref: str) -> HttpResponse:
    """An act that asks nothing."""
    name = request.POST.get("act", "")
    if name not in dunning_acts.ACTS or name in dunning_acts.REASONED:
        raise Http404
    skipped = dunning_acts.do(case=_case(request, ref), act=name, by=actor(request), at=now(request))
    if skipped:
        messages.warning(request, _("Nothing was done: %(why)s.") % {"why": skipped})
        return redirect(_address(ref))
    return done(request, _("Done: %(act)s") % {"act": dunning_acts.ACTS[name]}, _address(ref))


def _form_act(
    request: HttpRequest, ref: str, form: forms.Form, title: str, do: Callable[[DunningCase, dict[str, Any]], Any],
    text: str, minor: int = 0, currency: str = "",
) -> HttpResponse:  # fmt: skip
    case = _case(request, ref)
    if request.method == "POST" and form.is_valid():
        try:
            do(case, form.cleaned_data)
        except Refused as refused:
            show_refusal(form, refused)
        else:
            return done(request, text, _address(ref))
    context = {
        "title": title,
        "crumbs": crumbs((_("Recovery"), reverse(BACK)), (case.customer.name, _address(ref)), (title, "")),
        "form": form,
        "submit": title,
        "sum_minor": minor,
        "sum_currency": currency,
        "back": _address(ref),
    }
    return page(request, "form", context, status=422 if form.errors else 200)


@needs("payment.write")
def promise(request: HttpRequest, ref: str) -> HttpResponse:
    return _form_act(
        request, ref, PromiseForm(request.POST or None), _("Note a promise to pay"),
        lambda case, given: dunning.promise(case=case, **given, by=actor(request), at=now(request)),
        _("The promise is noted; nothing goes out until then."),
    )  # fmt: skip


@needs("payment.write")
def pause(request: HttpRequest, ref: str) -> HttpResponse:
    return _form_act(
        request, ref, PauseForm(request.POST or None), _("Pause dunning"),
        lambda case, given: dunning.pause(case=case, **given, by=actor(request), at=now(request)),
        _("Dunning is paused."),
    )  # fmt: skip


@needs("payment.write")
def skip(request: HttpRequest, ref: str) -> HttpResponse:
    return _form_act(
        request, ref, WhyForm(request.POST or None), _("Pass the next step over"),
        lambda case, given: dunning.skip_step(case=case, **given, by=actor(request), at=now(request)),
        _("The step is passed over."),
    )  # fmt: skip


@needs("payment.write")
def give_up(request: HttpRequest, ref: str) -> HttpResponse:
    return _form_act(
        request, ref, WhyForm(request.POST or None), _("Give the case up"),
        lambda case, given: dunning.give_up(case=case, **given, by=actor(request), at=now(request)),
        _("The case is given up; what is open stays open."),
    )  # fmt: skip


@needs("invoice.credit")
def write_off(request: HttpRequest, ref: str) -> HttpResponse:
    case = _case(request, ref)
    return _form_act(
        request, ref, WhyForm(request.POST or None), _("Write off what is overdue"),
        lambda case, given: dunning_acts.do(case=case, act="write_off", **given, by=actor(request), at=now(request)),
        _("What was overdue is written off."), case.overdue_minor, case.currency,
    )  # fmt: skip


@needs("payment.write")
def waive(request: HttpRequest, ref: str) -> HttpResponse:
    """Gives a fee or interest up."""
    claim = found(own(request, Claim).select_related("case", "company", "customer"), ref)
    return _form_act(
        request, claim.case.ref, WhyForm(request.POST or None), _("Waive the claim"),
        lambda case, given: claim_verbs.waive(claim=claim, **given, by=actor(request), at=now(request)),
        _("The claim is waived."), claim.amount_minor, claim.currency,
    )  # fmt: skip


@needs("payment.write")
@require_POST
def bulk(request: HttpRequest) -> HttpResponse:
    """What an act would do with the cases that were checked, and which it would pass over; then the act."""
    name, refs = request.POST.get("act", ""), request.POST.getlist("row")[: dunning_acts.MOST]
    back = _address(refs[0]) if len(refs) == 1 else reverse(BACK) + "?view=list"
    if name not in dunning_acts.ACTS or not may(request, RIGHTS.get(name, "payment.write")):
        return redirect(back)
    cases = [_case(request, ref) for ref in refs] if len(refs) == 1 else _named(request, refs)
    reason = request.POST.get("reason", "").strip()
    is_done = request.POST.get("step") == "do" and (bool(reason) or name not in dunning_acts.REASONED)
    if is_done:
        rows = dunning_acts.carry_out(
            company=request.company, act=name, cases=cases, reason=reason, by=actor(request), at=now(request)
        )
    else:
        rows = dunning_acts.plan(company=request.company, act=name, cases=cases)
    doing, skipped = [row for row in rows if not row.skipped], [row for row in rows if row.skipped]
    if is_done and doing:
        text = ngettext("%(count)s row is done.", "%(count)s rows are done.", len(doing)) % {"count": len(doing)}
        messages.success(request, text)
    if not rows or (is_done and not skipped):
        return redirect(back)
    title, sums = str(dunning_acts.ACTS[name]), _sums({row.case.currency: row.minor} for row in doing)
    context = {
        "title": title, "crumbs": crumbs((_("Recovery"), back), (title, "")), "act": name, "doing": doing,
        "skipped": skipped, "back": back, "is_done": is_done, "asks": name in dunning_acts.REASONED,
        "lacks_reason": request.POST.get("step") == "do" and not is_done,
        "sums": sums, "act_url": reverse("backoffice:recovery-bulk"), "rows_template": "office/recovery/bulk_rows.html",
        **on_button(sums if name in MOVES else {}),
    }  # fmt: skip
    return page(request, "bulk", context)


def _named(request: HttpRequest, refs: list[str]) -> list[DunningCase]:
    ids = []
    for ref in refs:
        try:
            ids.append(DunningCase.public_id_of(ref))
        except ValueError:
            continue
    return list(_cases(request).filter(public_id__in=ids).order_by("pk"))
