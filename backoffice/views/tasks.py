"""Tasks: what is to be done by whom and when; one, or many at once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

from django import forms
from django.contrib import messages
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST

from backoffice.acting import actor, done, found, may, now, own, show_refusal, tells_refusals, today
from backoffice.forms.tasks import CommentForm, PostponeForm, TaskFilter, TaskForm, WhoForm, person
from backoffice.lists import listing, tabs_of
from backoffice.pages import crumbs, page
from billing.models import Invoice
from core.models import Membership
from core.refusal import Refused
from core.rights import needs
from crm.models import Task
from crm.services import tasks as verbs
from customers.models import Customer
from subscriptions.models import Subscription

VIEWS: Final = (
    ("", gettext_lazy("Mine")),
    ("team", gettext_lazy("Team")),
    ("overdue", gettext_lazy("Overdue")),
    ("all", gettext_lazy("All open")),
    ("done", gettext_lazy("Done")),
)
#: Rows that one bulk act takes.
MOST: Final = 200
ACTS: Final[dict[str, Callable[..., Any]]] = {"finish": verbs.finish, "drop": verbs.drop, "reopen": verbs.reopen}
BACK: Final = "backoffice:tasks"


def _tasks(request: HttpRequest) -> QuerySet[Task]:
    return own(request, Task).select_related("company", "customer", "subscription", "invoice", "owner", "team", "alert")


def in_sight(rows: QuerySet[Task], on: Any) -> QuerySet[Task]:
    """Open tasks that are not put off."""
    return rows.filter(Q(postponed_to_on__isnull=True) | Q(postponed_to_on__lte=on), state=Task.State.OPEN)


def mine(request: HttpRequest) -> Q:
    """Those of the person, and those of their team that nobody has."""
    return Q(owner=request.user) | Q(owner__isnull=True, team__in=_teams(request))


def _teams(request: HttpRequest) -> QuerySet[Any, Any]:
    return Membership.objects.filter(company=request.company, user=request.user).values("role_id")


def _view(request: HttpRequest, view: str) -> QuerySet[Task]:
    rows, on = _tasks(request), today(request)
    match view:
        case "team":
            return in_sight(rows, on).filter(team__in=_teams(request))
        case "overdue":
            return in_sight(rows, on).filter(due_on__lt=on)
        case "all":
            return rows.filter(state=Task.State.OPEN)
        case "done":
            return rows.exclude(state=Task.State.OPEN)
    return in_sight(rows, on).filter(mine(request))


@needs("task.read")
def index(request: HttpRequest) -> HttpResponse:
    view = request.GET.get("view", "")
    if view not in dict(VIEWS):
        view = ""
    form = TaskFilter(request.GET, company=request.company)
    chosen = form.cleaned_data if form.is_valid() else {}
    rows = _view(request, view)
    if chosen.get("priority"):
        rows = rows.filter(priority=chosen["priority"])
    if chosen.get("owner"):
        rows = rows.filter(owner=person(request.company, chosen["owner"]))
    is_open = view != "done"
    listed = listing(request, rows, sorts={"due": "due_on", "id": "pk"}, default="due" if is_open else "-id", form=form)
    listed.tabs = tabs_of(request, "view", VIEWS, view)
    context = {
        "title": _("Tasks"), "list": listed, "search_name": "", "is_open": is_open, "today": today(request),
        "people": form.fields["owner"].choices[1:],  # type: ignore[attr-defined]
        "tomorrow": today(request) + timedelta(days=1),
    }  # fmt: skip
    return page(request, "tasks/list", context)


@needs("task.read")
def detail(request: HttpRequest, ref: str) -> HttpResponse:
    task = found(_tasks(request), ref)
    context = {
        "title": task.title, "crumbs": crumbs((_("Tasks"), reverse(BACK)), (task.title, "")), "task": task,
        "comments": task.comments.order_by("pk")[:200], "comment_form": CommentForm(), "today": today(request),
        "is_open": task.state == Task.State.OPEN,
    }  # fmt: skip
    return page(request, "tasks/detail", context)


@needs("task.write")
def create(request: HttpRequest) -> HttpResponse:
    """A task of one's own, about what the address names."""
    about: dict[str, Any] = {}
    models: tuple[tuple[str, Any], ...] = (
        ("customer", Customer), ("subscription", Subscription), ("invoice", Invoice),
    )  # fmt: skip
    for name, model in models:
        if request.GET.get(name) and may(request, f"{name}.read"):
            about[name] = found(own(request, model), request.GET[name])
    initial = {"due_on": today(request), "owner": request.user.ref}
    form = TaskForm(request.POST or None, company=request.company, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            task = verbs.create(
                company=request.company, **form.values(), **form.who(), **about, by=actor(request), at=now(request)
            )
        except Refused as refused:
            show_refusal(form, refused)
        else:
            return done(request, _("The task is made."), "task", task.ref)
    customer = about.get("customer") or next((row.customer for row in about.values()), None)
    lead = _("About %(customer)s") % {"customer": customer.name} if customer is not None else ""
    return _form(request, form, _("New task"), reverse(BACK), lead=lead)


def _form(
    request: HttpRequest, form: forms.Form, title: str, back: str, *above: tuple[str, str], lead: str = ""
) -> HttpResponse:
    context = {
        "title": title, "crumbs": crumbs((_("Tasks"), reverse(BACK)), *above, (title, "")), "form": form, "back": back,
        "lead": lead,
    }  # fmt: skip
    return page(request, "form", context, status=422 if form.errors else 200)


def _address(ref: str) -> str:
    return reverse("backoffice:task", args=[ref])


def _act_form(
    request: HttpRequest, ref: str, make: Callable[[Task], Any], title: str, do: Callable[[Task, Any], Any], text: str
) -> HttpResponse:
    task = found(_tasks(request), ref)
    form = make(task)
    if request.method == "POST" and form.is_valid():
        try:
            do(task, form)
        except Refused as refused:
            show_refusal(form, refused)
        else:
            return done(request, text, _address(ref))
    return _form(request, form, title, _address(ref), (task.title, _address(ref)))


@needs("task.write")
def edit(request: HttpRequest, ref: str) -> HttpResponse:
    return _act_form(
        request, ref, lambda task: TaskForm(request.POST or None, company=request.company, task=task), _("Edit"),
        lambda task, form: verbs.update(task=task, **form.values(), by=actor(request), at=now(request)),
        _("The task is changed."),
    )  # fmt: skip


@needs("task.write")
def assign(request: HttpRequest, ref: str) -> HttpResponse:
    return _act_form(
        request, ref, lambda task: WhoForm(request.POST or None, company=request.company, task=task), _("Assign"),
        lambda task, form: verbs.assign(task=task, **form.who(), by=actor(request), at=now(request)),
        _("The task is assigned."),
    )  # fmt: skip


@needs("task.write")
def postpone(request: HttpRequest, ref: str) -> HttpResponse:
    return _act_form(
        request, ref, lambda task: PostponeForm(request.POST or None), _("Postpone"),
        lambda task, form: verbs.postpone(
            task=task, **form.cleaned_data, today=today(request), by=actor(request), at=now(request)
        ),
        _("The task is postponed."),
    )  # fmt: skip


@needs("task.write")
@require_POST
def comment(request: HttpRequest, ref: str) -> HttpResponse:
    task, form = found(_tasks(request), ref), CommentForm(request.POST)
    if form.is_valid():
        try:
            verbs.comment(task=task, text=form.cleaned_data["text"], by=actor(request), at=now(request))
        except Refused as refused:
            messages.error(request, refused.message)
    else:
        messages.error(request, _("A remark needs a text."))
    return redirect(_address(ref))


@needs("task.write")
@require_POST
@tells_refusals(_address)
def act(request: HttpRequest, ref: str) -> HttpResponse:
    """Done, dropped, or opened again."""
    name = request.POST.get("act", "")
    if name not in ACTS:
        raise Http404
    ACTS[name](task=found(_tasks(request), ref), by=actor(request), at=now(request))
    words = {"finish": _("Done."), "drop": _("The task is dropped."), "reopen": _("The task is open again.")}
    return done(request, words[name], _address(ref))


@needs("task.write")
@require_POST
def bulk(request: HttpRequest) -> HttpResponse:
    """Finishes, assigns or postpones the checked tasks; those that refuse are passed over and told."""
    name = request.POST.get("act", "")
    common: dict[str, Any] = {"by": actor(request), "at": now(request)}
    do: Callable[[Task], Any]
    if name in ("finish", "drop"):
        do = lambda task: ACTS[name](task=task, **common)  # noqa: E731
    elif name == "assign":
        owner = person(request.company, request.POST["owner"]) if request.POST.get("owner") else None
        do = lambda task: verbs.assign(task=task, owner=owner, **common)  # noqa: E731
    elif name == "postpone":
        form = PostponeForm(request.POST)
        if not form.is_valid():
            messages.error(request, _("Choose the day until which they are postponed."))
            return redirect(BACK)
        to = form.cleaned_data["to"]
        do = lambda task: verbs.postpone(task=task, to=to, today=today(request), **common)  # noqa: E731
    else:
        return redirect(BACK)
    _do_many(request, do)
    view = request.GET.get("view", "")
    return redirect(reverse(BACK) + (f"?view={view}" if view in dict(VIEWS) and view else ""))


def _do_many(request: HttpRequest, do: Callable[[Task], Any]) -> None:
    count, refusals = 0, []
    for ref in request.POST.getlist("row")[:MOST]:
        task = found(_tasks(request), ref)
        try:
            do(task)
            count += 1
        except Refused as refused:
            refusals.append(f"{task.title}: {refused.message}")
    if count:
        words = ngettext("%(count)s task is done with.", "%(count)s tasks are done with.", count)
        messages.success(request, words % {"count": count})
    for refusal in refusals[:10]:
        messages.warning(request, refusal)
