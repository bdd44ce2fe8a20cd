"""Texts of mails: named, with placeholders, in five languages; a company may put its own in place of the product's.

The rules that matter: a text holds no code; `{name}` is replaced in one pass, so a value is never read again; a line or
a paragraph with placeholders that are all empty is left out. The product's text of a mail `x` is made of the templates
`mail/x_subject.txt` and `mail/x.txt`, in which every placeholder stands for itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Final, Literal, NamedTuple

from django.db import transaction
from django.template.loader import render_to_string
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import override

from core.actors import Actor
from core.models import LANGUAGE_CHOICES, Company
from core.refusal import Refused
from core.services import trail
from customers.models import Customer, MailText

Category = Literal["contract", "legal", "marketing"]
Words = str | Promise
Example = Callable[[Customer], Mapping[str, str]]

CATEGORIES: Final[Mapping[str, Words]] = {
    "contract": _("about the contract"),
    "legal": _("legal notice, never with advertising"),
    "marketing": _("advertising, with a link to unsubscribe"),
}
LANGUAGES: Final = tuple(code for code, _name in LANGUAGE_CHOICES)
SIGNATURE: Final = "signature"
#: What every text may use, taken from the company; `signature` is the company's own closing in the mail's language.
COMMON: Final[Mapping[str, Words]] = {
    "company": _("Name of your company"),
    "signature": _("Your signature in this language"),
}
_PLACEHOLDER: Final = re.compile(r"\{([^{}\n]*)\}")
_BLANK_LINES: Final = re.compile(r"\n[ \t]*(?:\n[ \t]*)+")


class MissingValue(LookupError):
    """A mail was to be made without a value for one of its placeholders: the caller's mistake."""


@dataclass(frozen=True, slots=True)
class MailKind:
    """A mail the product knows: what it is for, and what its text may name."""

    name: str
    title: Words
    purpose: Words
    placeholders: Mapping[str, Words]
    category: Category
    subject: Words | None = None
    body: Words | None = None
    example: Example | None = field(default=None, compare=False)

    @property
    def all_placeholders(self) -> dict[str, Words]:
        """Its own, then those of every text."""
        own = dict(self.placeholders)
        return own if self.name == SIGNATURE else {**own, **COMMON}


@dataclass(frozen=True, slots=True)
class Text:
    """Subject and body with their placeholders."""

    subject: str
    body: str


@dataclass(frozen=True, slots=True)
class Composed:
    """A mail in words. `html` is None: the branded layout is made of the plain text when the mail goes out."""

    subject: str
    body: str
    html: str | None = None


_kinds: dict[str, MailKind] = {}


def register(
    name: str,
    *,
    title: Words,
    purpose: Words,
    placeholders: Mapping[str, Words],
    category: Category,
    subject: Words | None = None,
    body: Words | None = None,
    example: Example | None = None,
) -> None:
    """Makes a mail known. `placeholders` are names with what they mean, as staff read it.

    The product's words come from `templates/mail/`, or from `subject` and `body`: translatable texts with `{name}`
    placeholders. `example` gives values for a preview with a real customer.
    """
    kind = MailKind(name, title, purpose, dict(placeholders), category, subject, body, example)
    if category not in CATEGORIES:
        raise LookupError(f"unknown category {category!r}")
    if _kinds.setdefault(name, kind) != kind:
        raise LookupError(f"the mail {name!r} is registered twice")


def names() -> list[MailKind]:
    """Every mail there is, by category and name."""
    order = list(CATEGORIES)
    return sorted(_kinds.values(), key=lambda kind: (order.index(kind.category), kind.name))


def kind_of(name: str) -> MailKind:
    """Raises LookupError for a name nobody registered."""
    try:
        return _kinds[name]
    except KeyError:
        raise LookupError(f"no mail is called {name!r}") from None


def fill(text: str, values: Mapping[str, str]) -> str:
    """The text with its placeholders replaced, in one pass.

    A line whose placeholders are all empty is left out, and so is a paragraph. Raises MissingValue.

    >>> fill("Hello {name},\\n\\nPay now:\\n{link}\\n\\nBye", {"name": "{link}", "link": ""})
    'Hello {link},\\n\\nBye'
    """

    paragraphs, names = _parsed(text)
    if not names <= values.keys():
        raise MissingValue(f"no value for the placeholder {{{min(names - values.keys())}}}")
    empty = {name for name in names if not values[name].strip()}
    said = []
    for paragraph in paragraphs:
        if paragraph.names and paragraph.names <= empty:
            continue
        lines = [
            "".join([values[part] if is_name else part for is_name, part in line.parts])
            for line in paragraph.lines
            if not line.names or not line.names <= empty
        ]
        if lines:
            said.append("\n".join(lines))
    return "\n\n".join(said)


class _Line(NamedTuple):
    """A line of a text in parts: whether each is the name of a placeholder, and the part."""

    parts: tuple[tuple[bool, str], ...]
    names: frozenset[str]


class _Paragraph(NamedTuple):
    lines: tuple[_Line, ...]
    names: frozenset[str]


@lru_cache(maxsize=1024)
def _parsed(text: str) -> tuple[tuple[_Paragraph, ...], frozenset[str]]:
    """The paragraphs of a text, and the names of all its placeholders."""
    found = []
    for paragraph in _BLANK_LINES.split(text.replace("\r\n", "\n").strip()):
        lines = tuple(_line(line.rstrip()) for line in paragraph.split("\n"))
        found.append(_Paragraph(lines, frozenset().union(*(line.names for line in lines))))
    return tuple(found), frozenset().union(*(paragraph.names for paragraph in found))


def _line(line: str) -> _Line:
    pieces = _PLACEHOLDER.split(line)
    parts = [(position % 2 == 1, piece) for position, piece in enumerate(pieces) if piece]
    return _Line(tuple(parts), frozenset(pieces[1::2]))


@lru_cache(maxsize=1024)
def default_text(name: str, language: str) -> Text:
    """The product's own words."""
    kind = kind_of(name)
    itself = {placeholder: f"{{{placeholder}}}" for placeholder in kind.all_placeholders}
    with override(language):
        if kind.body is not None:
            subject, body = str(kind.subject or ""), str(kind.body)
        else:
            body = render_to_string(f"mail/{name}.txt", itself)
            subject = "" if name == SIGNATURE else render_to_string(f"mail/{name}_subject.txt", itself)
    return Text(" ".join(subject.split()), _BLANK_LINES.sub("\n\n", body.strip()) + "\n")


class Composer:
    """Makes the mails of one company, having read its own words once: for many mails at a time."""

    def __init__(self, company: Company, only: Iterable[str] | None = None) -> None:
        self.company = company
        rows = MailText.objects.filter(company=company)
        if only is not None:
            rows = rows.filter(name__in=list(only))
        self._own = {(row.name, row.language): Text(row.subject, row.body) for row in rows}
        self._signatures: dict[str, str] = {}

    def text(self, name: str, language: str) -> Text:
        """The company's own words, else the product's."""
        return self._own.get((name, language)) or default_text(name, language)

    def signature(self, language: str) -> str:
        """The company's closing of mails in this language."""
        if language not in self._signatures:
            self._signatures[language] = fill(self.text(SIGNATURE, language).body, signature_facts(self.company))
        return self._signatures[language]

    def compose(self, name: str, language: str, facts: Mapping[str, str], text: Text | None = None) -> Composed:
        """The mail in words; `text` instead of the saved one is for previews. Raises MissingValue."""
        kind = kind_of(name)
        if not facts.keys() >= kind.placeholders.keys():
            missing = [placeholder for placeholder in kind.placeholders if placeholder not in facts]
            raise MissingValue(f"the mail {name!r} lacks {', '.join(missing)}")
        values = {placeholder: str(facts[placeholder]) for placeholder in kind.placeholders}
        if name != SIGNATURE:
            values |= {"company": self.company.name, "signature": self.signature(language)}
        text = text or self.text(name, language)
        return Composed(" ".join(fill(text.subject, values).split())[:300], fill(text.body, values) + "\n")


def compose(*, company: Company, name: str, language: str, facts: Mapping[str, str]) -> Composed:
    """One mail in words. `facts` has a value for each placeholder the mail was registered with, "" for none.

    Raises MissingValue. For many mails of a company, make one `Composer`.
    """
    return Composer(company, only=(name, SIGNATURE)).compose(name, language, facts)


def signature_facts(company: Company) -> dict[str, str]:
    """What a signature may name."""
    return {
        "company": company.name,
        "legal_name": company.legal_name,
        "email": company.email,
        "phone": company.phone,
        "website": company.website,
    }


def check(kind: MailKind, subject: str, body: str) -> Text:
    """The text as it is kept. Refuses unknown placeholders by name, and a mail without words."""
    subject = " ".join(subject.split())
    body = _BLANK_LINES.sub("\n\n", body.replace("\r\n", "\n").strip()) + "\n"
    if not body.strip():
        raise Refused("mail_text.empty", field="body")
    if not subject and kind.name != SIGNATURE:
        raise Refused("mail_text.empty", field="subject")
    if len(subject) > 300:
        raise Refused("mail_text.long", field="subject", limit=300)
    if len(body) > 20_000:
        raise Refused("mail_text.long", field="body", limit=20_000)
    known = kind.all_placeholders
    for part, words in (("subject", subject), ("body", body)):
        for found in _PLACEHOLDER.finditer(words):
            if found[1] not in known:
                raise Refused("mail_text.unknown_placeholder", field=part, name=found[0])
    return Text(subject, body)


def save(
    *, company: Company, name: str, language: str, subject: str, body: str, by: Actor, at: datetime
) -> MailText | None:
    """Puts the company's own words in place of the product's; None where they are the product's own.

    Refuses `mail_text.unknown_placeholder`, `mail_text.empty`, `mail_text.long` and `mail_text.unknown`.
    """
    kind = _known(name, language)
    text = check(kind, subject, body)
    if text == default_text(name, language):
        restore(company=company, name=name, language=language, by=by, at=at)
        return None
    with transaction.atomic():
        row = MailText.objects.select_for_update().filter(company=company, name=name, language=language).first()
        before = {"subject": row.subject, "body": row.body} if row is not None else {}
        if before == {"subject": text.subject, "body": text.body}:
            return row
        row, _created = MailText.objects.update_or_create(
            company=company,
            name=name,
            language=language,
            defaults={"subject": text.subject, "body": text.body, "changed_at": at},
        )
        after = {"subject": text.subject, "body": text.body}
        _audit(company, "mail_text.save", row, before, after, by, at)
    return row


def restore(*, company: Company, name: str, language: str, by: Actor, at: datetime) -> None:
    """Back to the product's words. Where they hold already, nothing happens."""
    _known(name, language)
    with transaction.atomic():
        row = MailText.objects.select_for_update().filter(company=company, name=name, language=language).first()
        if row is None:
            return
        _audit(company, "mail_text.restore", row, {"subject": row.subject, "body": row.body}, {}, by, at)
        row.delete()


def _known(name: str, language: str) -> MailKind:
    if name not in _kinds or language not in LANGUAGES:
        raise Refused("mail_text.unknown", name=name, language=language)
    return _kinds[name]


def _audit(
    company: Company, verb: str, row: MailText, before: Mapping[str, str], after: Mapping[str, str], by: Actor,
    at: datetime,
) -> None:  # fmt: skip
    trail.audit(
        company_id=company.pk, at=at, by=by, verb=verb, subject_kind="mail_text", subject_id=row.pk,
        facts={"name": row.name, "language": row.language}, before=before, after=after,
    )  # fmt: skip


register(
    "portal_invitation",
    title=_("Invitation to the portal"),
    purpose=_("When a contact is invited, and when a colleague sends it again."),
    placeholders={
        "contact": _("Name of the person invited"),
        "customer": _("Name of the customer"),
        "link": _("Where they sign in"),
    },
    category="contract",
)
register(
    SIGNATURE,
    title=_("Signature"),
    purpose=_("Stands at the end of mails, wherever their text says so."),
    placeholders={
        "company": _("Name of your company"),
        "legal_name": _("Its full name"),
        "email": _("Its e-mail address"),
        "phone": _("Its phone number"),
        "website": _("Its website"),
    },
    category="contract",
    example=lambda customer: signature_facts(customer.company),
)
