"""Leads: the board and the list, one lead with its notes, steps and likenesses, and what is done with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from django import forms
from django.contrib import messages
from django.db.models import Count, Q, QuerySet, Sum
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext
from django.views.decorators.http import require_POST

from backoffice import timelines
from backoffice.acting import actor, done, found, may, now, own, show_refusal, tells_refusals, today
from backoffice.exports import amount, is_asked, response
from backoffice.finding import cleaned
from backoffice.forms.leads import (
    ConvertForm,
    LeadDataForm,
    LeadFilter,
    LoseForm,
    MergeForm,
    NoteForm,
    StepForm,
    campaign,
)
from backoffice.forms.tasks import person
from backoffice.lists import listing, tabs_of
from backoffice.pages import crumbs, page
from core.refusal import Refused
from core.rights import needs
from crm.models import Lead, LeadStage, Quote, Task
from crm.services import converting, lead_duplicates, pipeline
from crm.services import leads as verbs
from customers.models import Customer

Kind = LeadStage.Kind
VIEWS: Final = (("", gettext_lazy("Board")), ("list", gettext_lazy("List")))
#: Cards of one lane.
SHOWN: Final = 25
BACK: Final = "backoffice:leads"


@dataclass(slots=True)
class Lane:
    """A stage on the board with its newest leads; `values` are minor units by currency."""

    stage: LeadStage
    rows: list[Lead]
    count: int
    values: dict[str, int]

    @property
    def more(self) -> int:
        return max(0, self.count - len(self.rows))


def _leads(request: HttpRequest) -> QuerySet[Lead]:
    return own(request, Lead).select_related("company", "stage", "owner", "campaign", "customer")


@needs("lead.read")
def index(request: HttpRequest) -> HttpResponseBase:
    view = request.GET.get("view", "")
    q = request.GET.get("q", "")
    return _list(request, q) if view == "list" or q else _board(request)


def _filtered(request: HttpRequest, form: LeadFilter, q: str = "") -> QuerySet[Lead]:
    rows = _leads(request).filter(merged_into__isnull=True)
    chosen = form.cleaned_data if form.is_valid() else {}
    if chosen.get("stage"):
        rows = rows.filter(stage__public_id=LeadStage.public_id_of(chosen["stage"]))
    if chosen.get("owner"):
        rows = rows.filter(owner=person(request.company, chosen["owner"]))
    if chosen.get("campaign"):
        rows = rows.filter(campaign=campaign(request.company, chosen["campaign"]))
    if text := cleaned(q):
        rows = rows.filter(
            Q(name__icontains=text) | Q(organization__icontains=text) | Q(email__icontains=text) | Q(phone=text)
        )
    return rows


def _list(request: HttpRequest, q: str) -> HttpResponseBase:
    form = LeadFilter(request.GET, company=request.company)
    rows = _filtered(request, form, q)
    if is_asked(request):
        return _file(request, rows)
    listed = listing(request, rows, sorts={"id": "pk", "since": "stage_since"}, default="-id", form=form, q=q)
    listed.tabs = tabs_of(request, "view", VIEWS, "list")
    return page(request, "leads/list", {"title": _("Leads"), "list": listed, "search_name": "q", "exports": True})


def _file(request: HttpRequest, rows: QuerySet[Lead]) -> HttpResponseBase:
    head = [
        "id", "name", "company", "email", "phone", "country", "stage", "probability", "value", "currency",
        "source", "campaign", "owner", "customer", "lost_reason", "created_at",
    ]  # fmt: skip
    body = (
        [
            row.ref, row.name, row.organization, row.email, row.phone, row.country, row.stage.name, row.chance,
            None if row.value_minor is None else amount(row.value_minor, row.currency), row.currency, row.source,
            row.campaign.code if row.campaign else "", str(row.owner or ""),
            row.customer.number if row.customer else "", row.lost_reason, row.created_at,
        ]
        for row in rows.order_by("-pk").iterator(chunk_size=2000)
    )  # fmt: skip
    return response(request, "leads", _("Leads"), head, body)


def _board(request: HttpRequest) -> HttpResponse:
    """A lane for each stage with its newest leads; counts and sums are over all of them, read in one statement."""
    stages = pipeline.of_company(request.company)
    rows = _leads(request).filter(merged_into__isnull=True)
    totals: dict[int, tuple[int, dict[str, int]]] = {}
    summed = rows.order_by().values_list("stage_id", "currency").annotate(Count("pk"), Sum("value_minor"))
    for stage_id, currency, count, minor in summed:
        before, values = totals.get(stage_id, (0, {}))
        totals[stage_id] = (before + count, {**values, **({currency: minor} if minor is not None else {})})
    lanes = [
        Lane(stage, list(rows.filter(stage=stage).order_by("-pk")[:SHOWN]), *totals[stage.pk])
        if stage.pk in totals
        else Lane(stage, [], 0, {})
        for stage in stages
    ]
    context = {
        "title": _("Leads"), "tabs": tabs_of(request, "view", VIEWS, ""), "lanes": lanes, "stages": stages,
        "count": sum(lane.count for lane in lanes), "today": today(request),
    }  # fmt: skip
    return page(request, "leads/board", context)


@needs("lead.read")
def detail(request: HttpRequest, ref: str) -> HttpResponse:
    lead = found(_leads(request).select_related("merged_into"), ref)
    stages = pipeline.of_company(request.company)
    steps = lead.tasks.filter(state=Task.State.OPEN).select_related("owner", "team", "customer")
    may_quotes, may_tasks = may(request, "quote.read"), may(request, "task.read")
    quotes = Quote.objects.filter(lead=lead).order_by("-pk")[:20] if may_quotes else []
    context = timelines.page_of_lead(request, lead, quotes=may_quotes, tasks=may_tasks) | {
        "title": lead.title, "crumbs": crumbs((_("Leads"), reverse(BACK)), (lead.title, "")), "lead": lead,
        "stages": stages, "note_form": NoteForm(),
        "steps": steps.order_by("due_on", "pk")[:20], "today": today(request), "quotes": quotes,
        "alike": [] if lead.merged_into_id else lead_duplicates.of_lead(lead),
        "is_open": lead.stage.kind == Kind.OPEN and lead.merged_into_id is None,
    }  # fmt: skip
    return page(request, "leads/detail", context)


@needs("lead.write")
def create(request: HttpRequest) -> HttpResponse:
    """A new lead; likenesses are shown once before it is saved."""
    form = LeadDataForm(request.POST or None, company=request.company, initial={"owner": request.user.ref})
    alike: list[lead_duplicates.Likeness] = []
    if request.method == "POST" and form.is_valid():
        given = form.values()
        if not request.POST.get("anyway"):
            alike = lead_duplicates.find(
                company=request.company, email=given["email"], phone=given["phone"], organization=given["organization"]
            )
        if not alike:
            try:
                lead = verbs.create(company=request.company, **given, by=actor(request), at=now(request))
            except Refused as refused:
                show_refusal(form, refused)
            else:
                return done(request, _("The lead is entered."), "lead", lead.ref)
    context = {
        "title": _("New lead"), "crumbs": crumbs((_("Leads"), reverse(BACK)), (_("New lead"), "")), "form": form,
        "back": reverse(BACK), "alike": alike,
    }  # fmt: skip
    return page(request, "leads/form", context, status=422 if form.errors else 200)


def _address(ref: str) -> str:
    return reverse("backoffice:lead", args=[ref])


def _form(
    request: HttpRequest,
    lead: Lead,
    form: forms.Form,
    title: str,
    do: Callable[[Any], Any],
    text: str,
    lead_in: str = "",
) -> HttpResponse:
    """One form about a lead."""
    if request.method == "POST" and form.is_valid():
        try:
            do(form)
        except Refused as refused:
            show_refusal(form, refused)
        else:
            return done(request, text, _address(lead.ref))
    back = _address(lead.ref)
    context = {
        "title": title, "crumbs": crumbs((_("Leads"), reverse(BACK)), (lead.title, back), (title, "")), "form": form,
        "back": back, "lead": lead_in,
    }  # fmt: skip
    return page(request, "form", context, status=422 if form.errors else 200)


@needs("lead.write")
def edit(request: HttpRequest, ref: str) -> HttpResponse:
    lead = found(_leads(request), ref)
    form = LeadDataForm(request.POST or None, company=request.company, lead=lead)
    return _form(
        request, lead, form, _("Edit"),
        lambda form: verbs.update(lead=lead, changes=form.values(), by=actor(request), at=now(request)),
        _("The lead is changed."),
    )  # fmt: skip


@needs("lead.write")
@require_POST
@tells_refusals(_address)
def move(request: HttpRequest, ref: str) -> HttpResponse:
    """Into another stage; a lost one asks why first."""
    lead = found(_leads(request), ref)
    stage = found(own(request, LeadStage).filter(archived_at__isnull=True), request.POST.get("stage", ""))
    if stage.kind == Kind.LOST and lead.stage_id != stage.pk:
        return redirect(f"{reverse('backoffice:lead-lose', args=[ref])}?stage={stage.ref}")
    verbs.move(lead=lead, stage=stage, by=actor(request), at=now(request))
    words = _("%(lead)s stands in %(stage)s.") % {"lead": lead.title, "stage": stage.name}
    return done(request, words, reverse(BACK) if request.POST.get("board") else _address(ref))


@needs("lead.write")
def lose(request: HttpRequest, ref: str) -> HttpResponse:
    lead = found(_leads(request), ref)
    asked = request.GET.get("stage", "")
    stage = found(own(request, LeadStage).filter(archived_at__isnull=True), asked) if asked else None
    return _form(
        request, lead, LoseForm(request.POST or None), pgettext("act on a lead", "Lost"),
        lambda form: verbs.lose(
            lead=lead, reason=form.cleaned_data["reason"], words=form.cleaned_data["words"], stage=stage,
            by=actor(request), at=now(request),
        ),
        _("The lead is lost. Its open tasks are dropped."),
    )  # fmt: skip


@needs("lead.write")
def step(request: HttpRequest, ref: str) -> HttpResponse:
    """Plans the next step."""
    lead = found(_leads(request), ref)
    form = StepForm(request.POST or None, company=request.company, initial={"due_on": today(request)})
    return _form(
        request, lead, form, _("Next step"),
        lambda form: verbs.plan_step(
            lead=lead, title=form.cleaned_data["title"], due_on=form.cleaned_data["due_on"],
            owner=person(request.company, form.cleaned_data["owner"]), by=actor(request), at=now(request),
        ),
        _("The next step is planned."),
    )  # fmt: skip


@needs("lead.write")
@require_POST
def comment(request: HttpRequest, ref: str) -> HttpResponse:
    lead, form = found(_leads(request), ref), NoteForm(request.POST)
    if form.is_valid():
        try:
            verbs.comment(lead=lead, text=form.cleaned_data["text"], by=actor(request), at=now(request))
        except Refused as refused:
            messages.error(request, refused.message)
    else:
        messages.error(request, _("A note needs a text."))
    return redirect(_address(ref))


@needs("lead.write")
def convert(request: HttpRequest, ref: str) -> HttpResponse:
    """To a new customer, or to one that is there."""
    lead = found(_leads(request), ref)
    if lead.customer is not None:
        return redirect("backoffice:customer", lead.customer.ref)
    alike = [one.row for one in lead_duplicates.of_lead(lead) if isinstance(one.row, Customer)]
    form = ConvertForm(request.POST or None, lead=lead, alike=alike)
    return _form(
        request, lead, form, _("Make a customer of it"), lambda form: _convert(request, lead, form),
        _("The lead is a customer now."),
        _("Name, people, consent, campaign and tasks go along. Nothing is typed twice."),
    )  # fmt: skip


def _convert(request: HttpRequest, lead: Lead, form: ConvertForm) -> None:
    given, customer = form.cleaned_data, None
    rows = own(request, Customer)
    number = given["number"].strip().upper().removeprefix("CUS-")
    if given["customer"]:
        customer = found(rows, given["customer"])
    elif number:
        customer = rows.filter(pk=int(number)).first() if number.isdecimal() and len(number) < 19 else None
        if customer is None:
            raise Refused("not_found", field="number")
    converting.convert(
        lead=lead, customer=customer, name=given["name"], kind=given["kind"], address=form.address(),
        vat_id=given["vat_id"], by=actor(request), at=now(request),
    )  # fmt: skip


@needs("lead.write")
def merge(request: HttpRequest, ref: str) -> HttpResponse:
    """This lead into one that looks like it."""
    lead = found(_leads(request), ref)
    alike = [one.row for one in lead_duplicates.of_lead(lead) if isinstance(one.row, Lead)]
    form = MergeForm(request.POST or None, alike=alike)
    if request.method == "POST" and form.is_valid():
        into = found(_leads(request), form.cleaned_data["into"])
        try:
            lead_duplicates.merge(lead=lead, into=into, by=actor(request), at=now(request))
        except Refused as refused:
            show_refusal(form, refused)
        else:
            return done(request, _("The two are one lead now."), "lead", into.ref)
    return _form(
        request, lead, form, _("Merge"), lambda form: None, "",
        _("Notes and tasks go to the lead that stays; what it lacks is taken from this one."),
    )  # fmt: skip
