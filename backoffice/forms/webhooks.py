"""Forms of webhook endpoints: where to, which events, since when again."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from backoffice.forms.sections import Section, SectionedForm
from core.models import WebhookDelivery, WebhookEndpoint
from core.models.webhooks import URL_LENGTH
from core.services import event_types
from core.services.webhook_endpoints import MOST_OVERLAP, OVERLAP


def _groups() -> list[tuple[str, Any]]:
    """Everything, and all of each noun, with the types it stands for."""
    nouns = [(f"{noun}.*", f"{noun}.* ({len(types)})") for noun, types in event_types.by_noun().items()]
    return [("*", _("everything, also what will be added (*)")), *nouns]


class EndpointForm(SectionedForm):
    """An address and what it hears of: whole groups by box, single types by name."""

    sections = (Section("", ("url", "description")), Section(_("Events"), ("groups", "single")))

    url = forms.CharField(
        label=_("Address"), max_length=URL_LENGTH, help_text=_("Where events are sent, with https://."),
        widget=forms.URLInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )  # fmt: skip
    description = forms.CharField(
        label=_("Description"), max_length=200, required=False, help_text=_("What it is for, for colleagues.")
    )
    groups = forms.MultipleChoiceField(
        label=_("Groups"), required=False, widget=forms.CheckboxSelectMultiple, choices=_groups,
        help_text=_("All events of a noun, also those that will be added."),
    )  # fmt: skip
    single = forms.CharField(
        label=_("Single events"), required=False, max_length=4000, widget=forms.Textarea(attrs={"rows": 4}),
        help_text=_("One a line, such as invoice.paid."),
    )  # fmt: skip

    @staticmethod
    def initial_of(endpoint: WebhookEndpoint) -> dict[str, Any]:
        known = {value for value, _label in _groups()}
        return {
            "url": endpoint.url, "description": endpoint.description,
            "groups": [one for one in endpoint.types if one in known],
            "single": "\n".join(one for one in endpoint.types if one not in known),
        }  # fmt: skip

    def values(self) -> dict[str, Any]:
        given = self.cleaned_data
        single = given["single"].replace(",", " ").split()
        return {"url": given["url"], "description": given["description"], "types": [*given["groups"], *single]}

    def field_of(self, name: str) -> str:
        """Which field a refusal of the verb belongs to."""
        return "single" if name == "types" else name


class RotateForm(SectionedForm):
    sections = (Section("", ("overlap_hours",)),)

    overlap_hours = forms.IntegerField(
        label=_("Hours"), min_value=0, max_value=MOST_OVERLAP, initial=OVERLAP,
        help_text=_("So long the previous secret signs beside the new one; 0: it ends at once."),
    )  # fmt: skip


class ResendForm(SectionedForm):
    sections = (Section("", ("since", "with_missed")),)

    since = forms.DateTimeField(
        label=_("Since"), widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"],
        help_text=_("What failed for good since then is sent again under the same ids."),
    )  # fmt: skip
    with_missed = forms.BooleanField(
        label=_("Also what it was never owed"), required=False,
        help_text=_("Events since then that happened while the endpoint was switched off or not yet there."),
    )  # fmt: skip


class DeliveryFilter(forms.Form):
    state = forms.ChoiceField(label=_("State"), required=False, choices=[("", "–"), *WebhookDelivery.State.choices])
    type = forms.CharField(label=_("Event"), required=False, max_length=62)
