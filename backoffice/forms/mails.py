"""Forms of mail: texts, the sender, filters of the list, blocked addresses."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from backoffice.forms.fields import TextField, fields_of
from backoffice.forms.sections import Section, SectionedForm
from core.models import Company
from customers.models import Message, Suppression
from customers.services import mail_texts

_SENDER = ("mail_name", "mail_address", "mail_reply_to", "mails_have_html")


class MailTextForm(SectionedForm):
    """Words of one mail in one language, and with whom they are looked at; `is_kept`: words that will be needed."""

    def __init__(self, *args: Any, has_subject: bool, is_kept: bool = True, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if has_subject:
            self.fields["subject"] = forms.CharField(label=_("Subject"), max_length=300, required=is_kept)
        self.fields["body"] = TextField(label=_("Text"), rows=18, limit=20_000, required=is_kept)
        self.fields["customer"] = forms.CharField(
            label=_("Preview with"), max_length=200, required=False,
            help_text=_("Name or number of a customer; empty: the newest."),
        )  # fmt: skip


class SenderForm(SectionedForm):
    """Whom mails come from and how they look."""

    sections = (
        Section(_("Sender"), (("mail_name", "mail_address"), "mail_reply_to")),
        Section(_("Looks"), ("mails_have_html",)),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields.update(fields_of(Company, _SENDER))

    @staticmethod
    def initial_of(company: Company) -> dict[str, Any]:
        return {name: getattr(company, name) for name in _SENDER}


class MessageFilter(forms.Form):
    state = forms.ChoiceField(label=_("State"), required=False, choices=[("", "–"), *Message.State.choices])
    category = forms.ChoiceField(label=_("Kind"), required=False, choices=[("", "–"), *Message.Category.choices])
    template = forms.ChoiceField(label=_("Text"), required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["template"].choices = [  # type: ignore[attr-defined]
            ("", "–"), *((kind.name, kind.title) for kind in mail_texts.names() if kind.name != mail_texts.SIGNATURE),
        ]  # fmt: skip


class SuppressionFilter(forms.Form):
    reason = forms.ChoiceField(label=_("Reason"), required=False, choices=[("", "–"), *Suppression.Reason.choices])
    scope = forms.ChoiceField(label=_("Blocks"), required=False, choices=[("", "–"), *Suppression.Scope.choices])


class BlockForm(SectionedForm):
    sections = (Section("", ("address", "scope", "words")),)

    address = forms.EmailField(label=_("Address"))
    scope = forms.ChoiceField(label=_("Blocks"), choices=Suppression.Scope.choices)
    words = forms.CharField(label=_("Note"), max_length=500, required=False)
