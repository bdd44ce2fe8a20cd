"""Forms of tasks and of the rules of alerts."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from backoffice.forms.fields import AmountField, DayField, MomentField, TextField, fields_of, minor_of
from backoffice.forms.sections import Section, SectionedForm
from core.models import Company, Role, User
from crm.models import AlertRule, Priority, Task
from crm.services import alert_kinds
from crm.services.alert_kinds import Kind
from pricing.money import Money

NOBODY = ("", "–")


def people_of(company: Company) -> list[tuple[str, str]]:
    """Who works for the company, by the ids a form sends."""
    rows = User.objects.filter(memberships__company=company, is_active=True).order_by("name", "email")
    return [(row.ref, str(row)) for row in rows]


def teams_of(company: Company) -> list[tuple[str, str]]:
    return [(str(row.pk), row.name) for row in Role.objects.filter(company=company).order_by("name")]


def person(company: Company, ref: str) -> User | None:
    """Who was chosen in a form made of `people_of`."""
    rows = User.objects.filter(memberships__company=company)
    return User.by_ref(rows, ref) if ref else None


def team(company: Company, pk: str) -> Role | None:
    return Role.objects.get(company=company, pk=int(pk)) if pk else None


class TaskFilter(forms.Form):
    priority = forms.ChoiceField(label=_("Priority"), required=False, choices=[NOBODY, *Priority.choices])
    owner = forms.ChoiceField(label=_("Owner"), required=False)

    def __init__(self, *args: Any, company: Company, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["owner"].choices = [NOBODY, *people_of(company)]  # type: ignore[attr-defined]


class AlertFilter(forms.Form):
    kind = forms.ChoiceField(label=_("Kind"), required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        kinds = [(kind.name, kind.title) for kind in alert_kinds.all_kinds()]
        self.fields["kind"].choices = [NOBODY, *kinds]  # type: ignore[attr-defined]


class WhoForm(SectionedForm):
    """To whom a task is given."""

    sections = (Section("", (("owner", "team"),)),)

    owner = forms.ChoiceField(label=_("Owner"), required=False, help_text=_("Empty: whoever of the team takes it."))
    team = forms.ChoiceField(label=_("Team"), required=False)

    def __init__(self, *args: Any, company: Company, task: Task | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.company = company
        self.fields["owner"].choices = [NOBODY, *people_of(company)]  # type: ignore[attr-defined]
        self.fields["team"].choices = [NOBODY, *teams_of(company)]  # type: ignore[attr-defined]
        if task is not None:
            self.initial |= {"owner": task.owner.ref if task.owner is not None else "", "team": task.team_id or ""}

    def who(self) -> dict[str, Any]:
        given = self.cleaned_data
        return {"owner": person(self.company, given["owner"]), "team": team(self.company, given["team"])}


class TaskForm(WhoForm):
    """What is to be done; who does it only for a new one."""

    sections = (
        Section("", ("title", "text", ("due_on", "priority"), "remind_at")),
        Section(_("Who"), (("owner", "team"),)),
    )

    due_on = DayField(label=_("Due"))
    remind_at = MomentField(label=_("Remind"), required=False, help_text=_("Its owner gets a mail then, once."))

    def __init__(self, *args: Any, company: Company, task: Task | None = None, **kwargs: Any) -> None:
        super().__init__(*args, company=company, task=task, **kwargs)
        self.fields |= fields_of(Task, ("title", "priority"))
        self.fields["text"] = TextField(label=_("Text"), required=False, rows=5, limit=10_000)
        self.initial.setdefault("priority", Priority.NORMAL)
        if task is not None:
            del self.fields["owner"], self.fields["team"]
            self.initial |= {name: getattr(task, name) for name in ("title", "text", "due_on", "priority", "remind_at")}

    def values(self) -> dict[str, Any]:
        return self.changes("title", "text", "due_on", "priority", "remind_at")


class PostponeForm(SectionedForm):
    sections = (Section("", ("to",)),)

    to = DayField(label=_("Until"), help_text=_("Until this day the task is out of sight."))


class CommentForm(SectionedForm):
    sections = (Section("", ("text",)),)

    text = TextField(label=_("Remark"), rows=3, limit=10_000)


class AlertRuleForm(SectionedForm):
    """A rule, with the numbers its kind asks for."""

    def __init__(self, *args: Any, rule: AlertRule, kind: Kind, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.company, self.kind = rule.company, kind
        numbers = [name for name in ("days", "hours") if getattr(kind.usual, name) is not None]
        self.fields.update(fields_of(AlertRule, ("is_active", *numbers, "mail", "makes_task", "task_days", "priority")))
        for name in numbers:
            self.fields[name].required = True
            self.fields[name].help_text = kind.hint
        if kind.usual.amount_minor is not None:
            self.fields["amount"] = AmountField(label=_("From this amount on"), places=4)
            self.initial["amount"] = Money(rule.amount_minor or 0, self.company.currency).amount
        self.fields["roles"] = forms.MultipleChoiceField(
            label=_("Teams that hear of it"), required=False, choices=teams_of(self.company),
            widget=forms.CheckboxSelectMultiple,
        )  # fmt: skip
        self.fields["users"] = forms.MultipleChoiceField(
            label=_("People who hear of it"), required=False, choices=people_of(self.company),
            widget=forms.CheckboxSelectMultiple,
        )  # fmt: skip
        for name in self.fields:
            if hasattr(rule, name) and name not in ("roles", "users"):
                self.initial[name] = getattr(rule, name)
        heard = list(rule.audience.select_related("user"))
        self.initial["roles"] = [str(row.role_id) for row in heard if row.role_id]
        self.initial["users"] = [row.user.ref for row in heard if row.user is not None]
        self.numbers = tuple(numbers) + (("amount",) if "amount" in self.fields else ())

    def layout(self) -> tuple[Section, ...]:
        return (
            Section("", ("is_active", *self.numbers)),
            Section(_("Who hears of it"), ("roles", "users", "mail")),
            Section(_("Task"), ("makes_task", ("task_days", "priority"))),
        )

    def values(self) -> dict[str, Any]:
        given = dict(self.cleaned_data)
        roles, users, amount = given.pop("roles"), given.pop("users"), given.pop("amount", None)
        if amount is not None:
            given["amount_minor"] = minor_of(amount, self.company.currency)
        return {
            **given,
            "roles": list(Role.objects.filter(company=self.company, pk__in=[int(pk) for pk in roles])),
            "users": [one for one in (person(self.company, ref) for ref in users) if one is not None],
        }
