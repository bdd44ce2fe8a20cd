"""Reminder rules with their conditions and own words, and offers."""

from __future__ import annotations

from typing import Any

from django import forms
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from backoffice.forms.catalog import text_rows
from backoffice.forms.fields import (
    AmountField,
    country_choices,
    fields_of,
    language_fields,
    minor_of,
    spread_texts,
    texts_of,
)
from backoffice.forms.sections import Section, SectionedForm
from catalog.models import Discount, Plan, Product
from catalog.services.texts import in_language
from core.models import Company
from crm.models import Offer, ReminderRule, Segment
from crm.services import offers
from crm.services.reminder_texts import PLACEHOLDERS
from customers.services import mail_texts
from pricing.money import Money

_COLUMNS = (
    "name", "occasion", "days", "late_days", "category", "channel", "customer_kind", "language", "cycle_unit",
    "shortest_term_months", "only_stale_method", "is_active",
)  # fmt: skip


class SentFilter(forms.Form):
    rule = forms.ModelChoiceField(
        label=_("Rule"), required=False, queryset=ReminderRule.objects.none(), to_field_name="pk"
    )
    outcome = forms.ChoiceField(
        label=_("What became of it"),
        required=False,
        choices=[
            ("", "–"), ("opened", _("opened")), ("accepted", _("offer taken")), ("renewed", _("renewed")),
            ("canceled", _("ended")),
        ],
    )  # fmt: skip

    def __init__(self, *args: Any, company: Company, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["rule"].queryset = ReminderRule.objects.filter(company=company)  # type: ignore[attr-defined]


class ReminderRuleForm(SectionedForm):
    """When, whom, what is said, what is offered."""

    def __init__(self, *args: Any, company: Company, rule: ReminderRule | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.company = company
        self.fields.update(fields_of(ReminderRule, _COLUMNS))
        self.fields["offer"] = forms.ModelChoiceField(
            label=_("Offer"), required=False, empty_label="–",
            queryset=Offer.objects.filter(company=company, archived_at__isnull=True),
            help_text=_("Taken by one click; only in advertising."),
        )  # fmt: skip
        self.fields["segment"] = forms.ModelChoiceField(
            label=_("Segment"), required=False, empty_label="–",
            queryset=Segment.objects.filter(
                Q(archived_at__isnull=True) | Q(pk=rule.segment_id if rule is not None else None), company=company
            ),
            help_text=_("Only customers of this segment; empty: all."),
        )  # fmt: skip
        texts = [kind for kind in mail_texts.names() if set(kind.placeholders) == set(PLACEHOLDERS)]
        self.fields["text"] = forms.ChoiceField(
            label=_("Mail text"), required=False,
            choices=[("", _("the usual one for the occasion")), *((kind.name, kind.title) for kind in texts)],
        )  # fmt: skip
        self.fields["countries"] = forms.MultipleChoiceField(
            label=_("Countries"), required=False, choices=country_choices, help_text=_("None chosen: everywhere.")
        )
        self.fields["plans"] = _chosen(_("Plans"), Plan.objects.filter(company=company).order_by("code"))
        self.fields["products"] = _chosen(_("Products"), Product.objects.filter(company=company).order_by("code"))
        self.fields["minimum"] = AmountField(
            label=_("Smallest amount"), places=4, required=False,
            help_text=_("Monthly revenue, or the open amount, of at least this."),
        )  # fmt: skip
        self.fields.update(language_fields(company, "subject", label=_("Subject")))
        self.fields.update(language_fields(company, "body", label=_("Text"), rows=8, limit=20_000))
        if rule is not None:
            self._fill(rule)

    def _fill(self, rule: ReminderRule) -> None:
        for name in (*_COLUMNS, "text", "countries"):
            self.initial[name] = getattr(rule, name)
        self.initial |= {
            "offer": rule.offer_id,
            "segment": rule.segment_id,
            "plans": rule.plan_ids,
            "products": rule.product_ids,
            "minimum": Money(rule.minimum_minor, self.company.currency).amount if rule.minimum_minor else None,
            **spread_texts("subject", rule.subject),
            **spread_texts("body", rule.body),
        }

    def layout(self) -> tuple[Section, ...]:
        return (
            Section("", ("name", ("occasion", "days"), ("late_days", "channel"), "is_active")),
            Section(_("What is said and offered"), (("category", "text"), "offer")),
            Section(
                _("For whom"),
                ("segment", ("customer_kind", "language"), "countries", ("plans", "products"),
                 ("cycle_unit", "shortest_term_months"), "minimum", "only_stale_method"),
                folded=True,
            ),
            Section(
                _("Own words"), (*text_rows(self.company, "subject"), *text_rows(self.company, "body")),
                _("In place of the mail text, by language. Placeholders stand in curly braces."), folded=True,
            ),
        )  # fmt: skip

    def values(self) -> dict[str, Any]:
        given = self.cleaned_data
        minimum = given.get("minimum")
        return {
            **{name: given[name] for name in _COLUMNS},
            "text": given["text"],
            "offer": given["offer"],
            "segment": given["segment"],
            "countries": given["countries"],
            "plans": list(given["plans"]),
            "products": list(given["products"]),
            "minimum_minor": minor_of(minimum, self.company.currency) if minimum else 0,
            "subject": texts_of(given, "subject"),
            "body": texts_of(given, "body"),
        }


def _chosen(label: Any, rows: Any) -> forms.ModelMultipleChoiceField:
    return forms.ModelMultipleChoiceField(label=label, required=False, queryset=rows, help_text=_("None chosen: all."))


class OfferForm(SectionedForm):
    """What is given, and in which words."""

    def __init__(self, *args: Any, company: Company, offer: Offer | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.company = company
        self.fields.update(fields_of(Offer, ("name", "valid_days", "customer_limit")))
        field = forms.ModelChoiceField(
            label=_("Discount"), queryset=Discount.objects.filter(company=company, archived_at__isnull=True)
        )
        field.label_from_instance = lambda row: in_language(row.name, "", company.language) or row.code  # type: ignore[method-assign]
        self.fields["discount"] = field
        self.fields.update(
            language_fields(company, "words", label=_("Words"), rows=3, limit=offers.WORDS_MOST)
        )  # fmt: skip
        if offer is not None:
            self.initial |= {
                "name": offer.name, "valid_days": offer.valid_days, "customer_limit": offer.customer_limit,
                "discount": offer.discount_id, **spread_texts("words", offer.words),
            }  # fmt: skip

    def layout(self) -> tuple[Section, ...]:
        return (
            Section("", ("name", "discount", ("valid_days", "customer_limit"))),
            Section(_("Words"), text_rows(self.company, "words"), _("What the customer reads, by language.")),
        )

    def values(self) -> dict[str, Any]:
        given = self.cleaned_data
        return {
            **{name: given[name] for name in ("name", "discount", "valid_days", "customer_limit")},
            "words": texts_of(given, "words"),
        }
