"""Tasks: what is to be done by whom and when."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import HttpResponse
from django.urls import path
from rest_framework.request import Request

from api.fields import Body, Choice, Day, Instant, Ref, Text
from api.query import Filter
from api.shapes import Computed, Id, Part, Shape
from api.views import ResourceView, operation
from billing.models import Invoice
from core import checks
from core.ids import BadId
from core.models import Role, User
from core.refusal import Refused
from crm.models import Priority, Task, TaskComment
from crm.services import tasks
from customers.models import Customer
from subscriptions.models import Subscription

READ, WRITE = "task.read", "task.write"
NAME = {"type": "string"}


class TaskCommentShape(Shape):
    """A remark on a task."""

    class Meta:
        model = TaskComment
        fields = ("text", "by", "at")


class TaskShape(Shape):
    """Something to be done. `ending` is `itself` where its alert's cause was gone."""

    id = Id("tsk")
    customer = Id("cus", via="customer", allow_null=True)
    subscription = Id("sub", via="subscription", allow_null=True)
    invoice = Id("inv", via="invoice", allow_null=True)
    alert = Id("alt", via="alert", allow_null=True, help_text="The alert it came from.")
    owner = Id("usr", via="owner", allow_null=True, help_text="Who does it.")
    team = Computed(NAME, lambda row, reading: row.team.name if row.team is not None else None, allow_null=True,
                    help_text="Name of the role whose people see to it.")  # fmt: skip
    comments = Part(
        TaskCommentShape, lambda row: row.comments.all(), many=True, name="comments", only_expanded=True,
        help_text="Remarks, oldest first; null in lists unless expanded.",
    )  # fmt: skip

    class Meta:
        model = Task
        fields = (
            "id", "title", "text", "state", "priority", "due_on", "postponed_to_on", "remind_at", "customer",
            "subscription", "invoice", "alert", "owner", "team", "comments", "created_at", "created_by",
            "ended_at", "ended_by", "ending",
        )  # fmt: skip


class TaskInput(Body):
    """A task. What is left out of a change stays."""

    title = Text(max_length=tasks.TITLE, help_text="What is to be done, in a few words.")
    text = Text(required=False, allow_blank=True, max_length=tasks.TEXT, help_text="What one should know to do it.")
    due_on = Day(help_text="Last day to do it.")
    priority = Choice(Priority.choices, required=False, help_text="How urgent it is.")
    customer = Ref(Customer, required=False, help_text="About whom.")
    subscription = Ref(Subscription, required=False, help_text="About which subscription.")
    invoice = Ref(Invoice, required=False, help_text="About which invoice.")
    remind_at = Instant(required=False, allow_null=True, help_text="When its owner gets a mail, once; null: never.")


class NewTaskInput(TaskInput):
    """A task, and who does it."""

    owner = Text(required=False, max_length=40, help_text="Id of the person who does it, such as `usr_…`.")
    team = Text(required=False, max_length=80, help_text="Name of the role whose people see to it.")


class AssignTaskInput(Body):
    """Who does it; what is left out: nobody."""

    owner = Text(required=False, max_length=40, help_text="Id of the person, such as `usr_…`.")
    team = Text(required=False, max_length=80, help_text="Name of the role; left out: as it is.")


class PostponeTaskInput(Body):
    """Until when."""

    to = Day(help_text="Out of sight until this day, and due then at the earliest.")


class TaskCommentInput(Body):
    """A remark."""

    text = Text(max_length=tasks.TEXT, help_text="What colleagues should know.")


class TaskView(ResourceView):
    tag = "Tasks"
    places: ClassVar[dict[str, Any]] = {"task": "tsk"}
    model, shape = Task, TaskShape
    shown_alone = frozenset({"comments"})

    def rows(self) -> QuerySet[Any]:
        rows = super().rows().select_related("customer", "subscription", "invoice", "alert", "owner", "team")
        return rows.prefetch_related("comments")

    @property
    def common(self) -> dict[str, Any]:
        return {"by": self.by, "at": self.at}

    def person(self, ref: str) -> User:
        try:
            return User.by_ref(User.objects.filter(memberships__company=self.company), ref)
        except (BadId, User.DoesNotExist):
            raise Refused("task.owner_works_elsewhere", field="owner") from None

    def team(self, name: str) -> Role:
        roles = {role.name: role for role in Role.objects.filter(company=self.company).order_by("pk")}
        checks.choice(name, roles, field="team")
        return roles[name]

    def who(self, given: dict[str, Any]) -> dict[str, Any]:
        """Takes the names of people and teams out of a body; the rows they mean."""
        found: dict[str, Any] = {}
        if owner := given.pop("owner", None):
            found["owner"] = self.person(owner)
        if team := given.pop("team", None):
            found["team"] = self.team(team)
        return found


class Tasks(TaskView):
    @operation(
        "List tasks", right=READ, answer=TaskShape, paged=True, expand=("comments",),
        filters=[
            Filter("state", "choice", choices=tuple(Task.State.values), help="Where it stands."),
            Filter("priority", "choice", choices=tuple(Priority.values), help="How urgent it is."),
            Filter("due_on", "day", help="Last day to do it."),
            Filter("customer", "ref", model=Customer, help="About whom."),
            Filter("subscription", "ref", model=Subscription, help="About which subscription."),
        ],
    )  # fmt: skip
    def get(self, request: Request) -> HttpResponse:
        return self.page()

    @operation(
        "Create a task", right=WRITE, body=NewTaskInput, answer=TaskShape, status=201,
        refusals=["task.other_customer", "task.owner_works_elsewhere"],
    )  # fmt: skip
    def post(self, request: Request, given: dict[str, Any]) -> HttpResponse:
        who = self.who(given)
        return self.fresh(tasks.create(company=self.company, **given, **who, **self.common), 201)


class OneTask(TaskView):
    @operation("Get a task", right=READ, answer=TaskShape)
    def get(self, request: Request, task: str) -> HttpResponse:
        return self.one(self.find(task))

    @operation("Change a task", right=WRITE, body=TaskInput, answer=TaskShape, refusals=["task.other_customer"])
    def patch(self, request: Request, given: dict[str, Any], task: str) -> HttpResponse:
        return self.fresh(tasks.update(task=self.find(task), **given, **self.common))


class AssignTask(TaskView):
    @operation(
        "Assign a task", right=WRITE, body=AssignTaskInput, answer=TaskShape,
        refusals=["task.not_open", "task.owner_works_elsewhere"],
    )  # fmt: skip
    def post(self, request: Request, given: dict[str, Any], task: str) -> HttpResponse:
        who = {"owner": None, **self.who(given)}
        return self.fresh(tasks.assign(task=self.find(task), **who, **self.common))


class PostponeTask(TaskView):
    @operation(
        "Postpone a task", right=WRITE, body=PostponeTaskInput, answer=TaskShape,
        refusals=["task.not_open", "task.postpone_ahead"],
    )  # fmt: skip
    def post(self, request: Request, given: dict[str, Any], task: str) -> HttpResponse:
        return self.fresh(tasks.postpone(task=self.find(task), today=self.today, **given, **self.common))


class CommentTask(TaskView):
    @operation("Comment on a task", right=WRITE, body=TaskCommentInput, answer=TaskShape, status=201)
    def post(self, request: Request, given: dict[str, Any], task: str) -> HttpResponse:
        row = self.find(task)
        tasks.comment(task=row, **given, **self.common)
        return self.fresh(row, 201)


class FinishTask(TaskView):
    @operation("Finish a task", right=WRITE, answer=TaskShape, refusals=["task.not_open"])
    def post(self, request: Request, task: str) -> HttpResponse:
        return self.fresh(tasks.finish(task=self.find(task), **self.common))


class DropTask(TaskView):
    @operation("Drop a task", right=WRITE, answer=TaskShape, refusals=["task.not_open"])
    def post(self, request: Request, task: str) -> HttpResponse:
        return self.fresh(tasks.drop(task=self.find(task), **self.common))


class ReopenTask(TaskView):
    @operation("Reopen a task", right=WRITE, answer=TaskShape)
    def post(self, request: Request, task: str) -> HttpResponse:
        return self.fresh(tasks.reopen(task=self.find(task), **self.common))


urlpatterns = [
    path("tasks", Tasks.as_view()),
    path("tasks/<str:task>", OneTask.as_view()),
    path("tasks/<str:task>/assign", AssignTask.as_view()),
    path("tasks/<str:task>/postpone", PostponeTask.as_view()),
    path("tasks/<str:task>/comments", CommentTask.as_view()),
    path("tasks/<str:task>/finish", FinishTask.as_view()),
    path("tasks/<str:task>/drop", DropTask.as_view()),
    path("tasks/<str:task>/reopen", ReopenTask.as_view()),
]
