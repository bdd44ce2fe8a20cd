"""What an act on everybody in a segment needs: one form for each kind of act."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.utils.translation import get_language, gettext
from django.utils.translation import gettext_lazy as _

from backoffice.forms.fields import DayField, TextField, fields_of
from backoffice.forms.sections import SectionedForm
from backoffice.forms.tasks import NOBODY, people_of
from catalog.models import Discount, Plan
from catalog.services.plans import currencies_of
from catalog.services.texts import in_language
from core.models import Company
from crm.models import Priority, Task
from subscriptions.services.end_reasons import WORDS as REASONS


class BulkForm(SectionedForm):
    """The fields of a kind of act, as `bulk_kinds` takes them."""

    def __init__(self, *args: Any, company: Company, kind: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        FIELDS[kind](self, company)

    def values(self) -> dict[str, Any]:
        """What the act takes; what is empty is left out."""
        return {name: value for name, value in self.cleaned_data.items() if value not in (None, "")}


def _task(form: BulkForm, company: Company) -> None:
    form.fields |= fields_of(Task, ("title",))
    form.fields["text"] = TextField(label=_("Text"), required=False, rows=5, limit=10_000)
    form.fields["due_on"] = DayField(label=_("Due"))
    form.fields |= fields_of(Task, ("priority",))
    form.initial.setdefault("priority", Priority.NORMAL)
    form.fields["owner"] = forms.ChoiceField(label=_("Owner"), required=False, choices=[NOBODY, *people_of(company)])


def _note(form: BulkForm, company: Company) -> None:
    form.fields["text"] = TextField(label=_("Text"), rows=5, limit=10_000)


def _owner(form: BulkForm, company: Company) -> None:
    form.fields["owner"] = forms.ChoiceField(
        label=_("Owner"), required=False, choices=[NOBODY, *people_of(company)], help_text=_("Empty: nobody.")
    )


def _discount(form: BulkForm, company: Company) -> None:
    rows = Discount.objects.filter(company=company, archived_at__isnull=True).order_by("code")
    choices = [(row.ref, f"{_named(company, row.name)} ({row.code})") for row in rows]
    form.fields["discount"] = forms.ChoiceField(label=_("Discount"), choices=[("", "–"), *choices])


def _plan(form: BulkForm, company: Company) -> None:
    rows = Plan.objects.filter(company=company, status=Plan.Status.ON_SALE).order_by("code")
    choices = [(row.ref, f"{_named(company, row.name)} ({', '.join([row.code, *currencies_of(row)])})") for row in rows]
    form.fields["plan"] = forms.ChoiceField(
        label=_("New plan"), choices=[("", "–"), *choices],
        help_text=_("Who has it already, or pays in another currency, is passed over."),
    )  # fmt: skip
    form.fields["timing"] = forms.ChoiceField(
        label=_("Takes effect"), required=False,
        choices=[
            ("", _("As usual: today if worth as much or more, else with the next period")),
            ("now", _("Today")),
            ("period_end", _("With the next period")),
        ],
    )  # fmt: skip
    _reason(form, company)


def _pause(form: BulkForm, company: Company) -> None:
    form.fields["from_on"] = DayField(label=_("From"), required=False, help_text=_("Empty: as soon as possible."))
    form.fields["until"] = DayField(label=_("Until"), required=False, help_text=_("Empty: open end."))
    _reason(form, company)


def _resume(form: BulkForm, company: Company) -> None:
    form.fields["from_on"] = DayField(label=_("From"), required=False, help_text=_("Empty: as soon as possible."))
    _reason(form, company)


def _cancel(form: BulkForm, company: Company) -> None:
    choices = [("", "–"), *REASONS.items()]
    form.fields["reason"] = forms.ChoiceField(label=_("Reason"), required=False, choices=choices)
    form.fields["comment"] = forms.CharField(label=gettext("Comment"), required=False, max_length=500)


def _reason(form: BulkForm, company: Company) -> None:
    form.fields["reason"] = forms.CharField(label=_("Why"), required=False, max_length=500)


def _named(company: Company, name: Any) -> str:
    return in_language(name, get_language() or "", company.language) if isinstance(name, dict) else str(name)


FIELDS: dict[str, Callable[[BulkForm, Company], None]] = {
    "task": _task, "note": _note, "owner": _owner, "give_discount": _discount, "end_discount": _discount,
    "change_plan": _plan, "pause": _pause, "resume": _resume, "cancel": _cancel,
}  # fmt: skip
