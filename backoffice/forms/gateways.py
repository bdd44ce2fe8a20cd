"""Forms of the company's gateways. A secret is written, never read back: its field comes empty."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from backoffice.forms.fields import fields_of
from backoffice.forms.sections import Section, SectionedForm
from billing.models import Gateway, GatewayEvent
from billing.services.gateway_accounts import FIELDS, REQUIRED, SECRETS

_HINTS = {"iban": _("The company's account; empty: the one in its settings.")}


class GatewayForm(SectionedForm):
    """What a gateway of this kind needs."""

    def __init__(self, *args: Any, kind: str, gateway: Gateway | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.kind = kind
        names = FIELDS[kind]
        self.fields.update(fields_of(Gateway, [name for name in names if name not in SECRETS]))
        for name in names:
            if name in SECRETS:
                self.fields[name] = self._secret(name, gateway)
        for name in names:
            self.fields[name].required = name == "name" or (name in REQUIRED.get(kind, ()) and name not in SECRETS)
            if gateway is not None and name not in SECRETS:
                self.initial.setdefault(name, getattr(gateway, name))
        if gateway is None:
            self.initial.setdefault("name", str(Gateway.Kind(kind).label))
            for name in ("notice_days", "lead_days", "makes_files"):
                if name in self.fields:
                    self.initial.setdefault(name, Gateway._meta.get_field(name).get_default())
        self.fields = {name: self.fields[name] for name in names}

    @staticmethod
    def _secret(name: str, gateway: Gateway | None) -> forms.Field:
        column = Gateway._meta.get_field(name)
        kept = gateway is not None and bool(getattr(gateway, name))
        hint = _("Kept. Leave empty to keep it as it is.") if kept else _HINTS.get(name, column.help_text)
        return forms.CharField(
            label=column.verbose_name, required=False, max_length=500, help_text=hint,
            widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}) if name == "iban"
            else forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        )  # fmt: skip

    def layout(self) -> tuple[Section, ...]:
        return (Section("", tuple(FIELDS[self.kind])),)


class GatewayEventFilter(forms.Form):
    state = forms.ChoiceField(label=_("State"), required=False, choices=[("", "–"), *GatewayEvent.State.choices])
    kind = forms.CharField(label=_("Kind"), required=False, max_length=80)
