"""The company's settings, its people and roles, the keys of its API."""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import Any, Final

from django import forms
from django.db.models import Q
from django.http import QueryDict
from django.utils.functional import Promise
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext, pgettext_lazy

from backoffice.forms.fields import (
    CurrencyField,
    DayField,
    TextField,
    ZoneField,
    address_lines,
    fields_of,
    language_fields,
    spread_texts,
    texts_of,
)
from backoffice.forms.sections import Section, SectionedForm
from core.models import LANGUAGE_CHOICES, Company, Role
from core.rights import RIGHTS
from core.services import outbox
from core.services.keys import EVERYTHING, SCOPES
from core.texts import sort_key
from customers.services import titles

_COLUMNS = (
    "name", "legal_name", "postal_code", "city", "email", "phone", "website", "vat_id", "tax_number", "register_entry",
    "iban", "bic", "bank_name", "accent", "payment_terms_days", "invoice_per_subscription", "issues_zero_invoices",
    "is_small_business", "charges_origin_vat", "draft_hours", "rate_change",
    "payment_terms_from", "collect_when",
)  # fmt: skip
_NUMBERING = ("invoice_pattern", "credit_note_pattern")


class CompanyForm(SectionedForm):
    """Everything a company may change after it was opened, but its numbers."""

    def __init__(self, *args: Any, company: Company, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.company = company
        self.fields.update(fields_of(Company, _COLUMNS))
        self.fields["accent"].widget = forms.TextInput(attrs={"type": "color"})
        self.fields["lines"] = TextField(
            label=_("Street"), rows=2, limit=500, required=False, help_text=_("Up to four lines above the town.")
        )
        self.fields["currency"] = CurrencyField(help_text=_("Usual currency of new customers."))
        self.fields["tax_currency"] = CurrencyField(label=_("Tax currency"))
        self.fields["language"] = forms.ChoiceField(
            label=_("Language"), choices=LANGUAGE_CHOICES, help_text=_("Of customers without one of their own.")
        )
        self.fields["time_zone"] = ZoneField(help_text=_("Dates of documents follow it."))
        self.fields["mails_start_on"] = DayField(
            label=_("Mails start on"), required=False,
            help_text=_("Documents about charges due earlier are issued without mail; empty: all are sent."),
        )  # fmt: skip
        self.fields["books_closed_on"] = DayField(
            label=_("Books closed through"), required=False,
            help_text=_("Last day of closed books; no act reaches it, and closed books stay closed."),
        )  # fmt: skip
        self.fields.update(language_fields(company, "invoice_footer", label=_("Closing words"), rows=2, limit=2000))

    def layout(self) -> tuple[Section, ...]:
        footer = [name for name in self.fields if name.startswith("invoice_footer__")]
        return (
            Section(_("Name and address"), (("name", "legal_name"), "lines", ("postal_code", "city"))),
            Section(_("How to reach it"), (("email", "phone"), "website")),
            Section(_("Taxes and register"), (("vat_id", "tax_number"), "register_entry", "is_small_business",
                                              "charges_origin_vat", "rate_change")),
            Section(_("Bank account"), (("iban", "bic"), "bank_name"), _("Where customers transfer money to.")),
            Section(_("Language, currency, time"), (("language", "time_zone"), ("currency", "tax_currency"))),
            Section(_("Invoices"), (("payment_terms_days", "payment_terms_from"), ("draft_hours", "collect_when"),
                                    "invoice_per_subscription", "issues_zero_invoices",
                                    ("mails_start_on", "books_closed_on"))),
            Section(_("Closing words on documents"), ((footer[0],), tuple(footer[1:3]), tuple(footer[3:]))),
            Section(_("Looks"), ("accent",)),
        )  # fmt: skip

    @staticmethod
    def initial_of(company: Company) -> dict[str, Any]:
        names = (*_COLUMNS, "currency", "tax_currency", "language", "time_zone", "mails_start_on", "books_closed_on")
        initial = {name: getattr(company, name) for name in names}
        initial["lines"] = "\n".join(company.address_lines)
        return initial | spread_texts("invoice_footer", company.invoice_footer)

    def values(self) -> dict[str, Any]:
        names = (*_COLUMNS, "currency", "tax_currency", "language", "time_zone", "mails_start_on", "books_closed_on")
        own = self.changes(*names)
        own["address_lines"] = address_lines(self.cleaned_data["lines"])
        own["invoice_footer"] = texts_of(self.cleaned_data, "invoice_footer")
        return own


class NumberingForm(SectionedForm):
    sections = (Section("", _NUMBERING),)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields.update(fields_of(Company, _NUMBERING))


class LogoForm(forms.Form):
    logo = forms.FileField(label=_("Logo"), help_text=_("PNG, JPEG or SVG, at most 1 MB."))


def _roles(company: Company) -> forms.ModelChoiceField:
    return forms.ModelChoiceField(
        label=_("Role"), queryset=Role.objects.filter(company=company).order_by("name"), empty_label=None
    )


class MemberForm(SectionedForm):
    """A person who shall work for the company."""

    sections = (Section("", ("email", "name", "role")),)

    def __init__(self, *args: Any, company: Company, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["email"] = forms.EmailField(label=_("E-mail"), help_text=_("They sign in by a code mailed there."))
        self.fields["name"] = forms.CharField(label=_("Name"), max_length=200, required=False)
        self.fields["role"] = _roles(company)


class MemberRoleForm(SectionedForm):
    sections = (Section("", ("role",)),)

    def __init__(self, *args: Any, company: Company, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["role"] = _roles(company)


class RoleForm(SectionedForm):
    """A named set of rights."""

    sections = (Section("", ("name", "rights")),)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields.update(fields_of(Role, ("name",)))
        self.fields["rights"] = forms.MultipleChoiceField(
            label=_("Rights"), choices=list(RIGHTS.items()), widget=forms.CheckboxSelectMultiple, required=False
        )


class KeyForm(SectionedForm):
    """A key of the API. Its text is shown once."""

    sections = (Section("", ("name", "scopes", "expires_on")),)

    name = forms.CharField(label=_("Name"), max_length=80, help_text=_("What the key is for."))
    scopes = forms.MultipleChoiceField(
        label=_("Scopes"),
        widget=forms.CheckboxSelectMultiple,
        choices=[*((scope, scope) for scope in SCOPES), (EVERYTHING, _("everything"))],
        help_text=_("What the key may do; writing includes reading."),
    )
    expires_on = DayField(label=_("Last day"), required=False, help_text=_("Empty: it holds until it is revoked."))

    def expires_at(self) -> datetime | None:
        """The end of the last day, in UTC."""
        day = self.cleaned_data["expires_on"]
        return datetime.combine(day, time.max, UTC) if day else None


class SandboxForm(SectionedForm):
    """A test company beside this one."""

    sections = (Section("", ("name", "clock_on", "copies_catalog")),)

    name = forms.CharField(label=_("Name"), max_length=120, help_text=_("What it is for, such as new prices."))
    clock_on = DayField(label=_("Clock starts on"), required=False, help_text=_("Its time begins at noon of that day."))
    copies_catalog = forms.BooleanField(
        label=_("With the catalog"), required=False, help_text=_("Products, plans, prices, discounts and tax rates.")
    )


class AdvanceForm(forms.Form):
    to = DayField(label=_("Move the clock to"), help_text=_("Everything that falls due on the way is done."))


class AuditFilter(forms.Form):
    verb = forms.ChoiceField(label=_("Act"), required=False)
    actor = forms.CharField(label=_("Who"), required=False, max_length=120)
    since = DayField(label=_("Since"), required=False)

    def __init__(self, data: QueryDict) -> None:
        super().__init__(data)
        known, asked = titles.known(), data.get("verb", "")[:60]
        # An event and the verb that caused it often share their words: one choice finds both.
        acts = {words: verb for verb, words in sorted(known.items(), reverse=True)}
        if asked in known:
            acts[known[asked]] = asked
        choices = [(verb, words) for words, verb in sorted(acts.items(), key=lambda act: sort_key(act[0]))]
        if asked and asked not in known and "\0" not in asked:
            # Links may name the beginning of a code.
            choices.insert(0, (asked, asked))
        self.fields["verb"].choices = [("", pgettext("audit log", "any")), *choices]  # type: ignore[attr-defined]

    def verbs(self) -> Q:
        """The rows of the chosen act, by all codes that bear its words; of a text that is no code, those it begins."""
        chosen = self.cleaned_data["verb"]
        known = titles.known()
        if chosen not in known:
            return Q(verb__startswith=chosen)
        return Q(verb__in=[verb for verb, words in known.items() if words == known[chosen]])


#: What each kind of effect in the outbox is, in words.
EFFECTS: Final[dict[str, str | Promise]] = {
    "mail": _("e-mail"),
    "document_mail": _("mail with a document"),
    "mail_event": _("mail event"),
    "attempt": _("Collection attempt"),
    "gateway_event": _("provider's message"),
    "forget_method": _("removal of a payment method"),
    "forget_in_tie": _("erasure in a connected system"),
    "vat_check": _("VAT id check"),
    "file.to_bucket": _("move of a file to the bucket"),
    "file.erase": _("erasure of a file in the bucket"),
}


def effect_words(kind: str) -> str:
    """What a kind of effect is; one without words bears its name."""
    return capfirst(str(EFFECTS.get(kind, kind)))


class OutboxFilter(forms.Form):
    state = forms.ChoiceField(
        label=_("State"), required=False,
        choices=[("", _("failed for good")), ("waiting", _("waiting")), ("done", _("done")),
                 ("canceled", pgettext_lazy("effect", "given up")), ("all", _("all"))],
    )  # fmt: skip
    kind = forms.ChoiceField(
        label=_("Kind"),
        required=False,
        choices=lambda: [("", "–"), *((kind, effect_words(kind)) for kind in outbox.kinds())],
    )
