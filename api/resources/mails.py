"""Texts of mails, addresses that get no mail, and who allowed advertising."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import Q, QuerySet
from django.http import Http404, HttpResponse
from django.urls import path
from rest_framework.request import Request

from api.fields import Body, Choice, Text
from api.query import Filter
from api.resources.customers import ContactShape, ContactView, CustomerShape, CustomerView
from api.shapes import Computed, Id, Part, PlainShape, Shape
from api.views import ApiView, ResourceView, operation
from customers.models import MailText, Suppression
from customers.services import consents, mail_texts, suppressing

READ, WRITE = "customer.read", "customer.write"
SEES, CHANGES = "reminder.read", "reminder.write"
TEXT = {"type": "string"}
TEXTS = {"type": "array", "items": TEXT}


class MailKindShape(PlainShape):
    """A mail the product sends."""

    name = Computed(TEXT, lambda row, reading: row.kind.name)
    title = Computed(TEXT, lambda row, reading: str(row.kind.title))
    purpose = Computed(TEXT, lambda row, reading: str(row.kind.purpose), help_text="When it is sent.")
    category = Computed(
        {"type": "string", "enum": list(mail_texts.CATEGORIES)}, lambda row, reading: row.kind.category,
        help_text="Advertising (`marketing`) alone can be unsubscribed from.",
    )  # fmt: skip
    placeholders = Computed(
        {"type": "object", "additionalProperties": TEXT},
        lambda row, reading: {name: str(words) for name, words in row.kind.all_placeholders.items()},
        help_text="What its text may name in curly braces, and what it means.",
    )
    reworded_in = Computed(TEXTS, lambda row, reading: row.languages, help_text="Languages with words of your own.")


class MailKindsShape(PlainShape):
    """Every mail there is."""

    data = Part(MailKindShape, lambda row: row, many=True)


class MailTextShape(PlainShape):
    """The words of a mail in one language."""

    name = Computed(TEXT, lambda row, reading: row.name)
    language = Computed(TEXT, lambda row, reading: row.language)
    subject = Computed(TEXT, lambda row, reading: row.text.subject)
    body = Computed(TEXT, lambda row, reading: row.text.body)
    is_reworded = Computed(
        {"type": "boolean"}, lambda row, reading: row.is_reworded, help_text="Whether these are words of your own."
    )


class MailTextInput(Body):
    """Words of your own."""

    subject = Text(max_length=300, required=False, allow_blank=True, help_text="Subject line; none for the signature.")
    body = Text(max_length=20_000, help_text="Plain text with placeholders in curly braces.")


class SuppressionShape(Shape):
    """An address that gets no mail, or no advertising."""

    id = Id("sup")
    message = Id("msg", via="message", allow_null=True)

    class Meta:
        model = Suppression
        fields = ("id", "address", "reason", "scope", "words", "message", "by", "since", "lifted_at", "lifted_by")


class SuppressionInput(Body):
    """An address to block."""

    address = Text(max_length=254, help_text="The e-mail address.")
    scope = Choice(Suppression.Scope.choices, required=False, help_text="What is blocked; all when left out.")
    words = Text(max_length=500, required=False, allow_blank=True, help_text="Note for colleagues.")


class ConsentInput(Body):
    """How the consent was given."""

    source = Text(max_length=120, help_text="Such as: signed form of 3 May, booth at the fair.")


def _lifted(operator: str, value: bool) -> Q:
    return Q(lifted_at__isnull=not value)


class _Row:
    """What a shape of a text reads."""

    def __init__(self, **values: Any) -> None:
        self.__dict__.update(values)


class TextView(ApiView):
    tag = "Mails"
    places: ClassVar[dict[str, Any]] = {
        "name": tuple(kind.name for kind in mail_texts.names()), "language": mail_texts.LANGUAGES,
    }  # fmt: skip

    def text(self, name: str, language: str) -> HttpResponse:
        if name not in self.places["name"] or language not in self.places["language"]:
            raise Http404
        own = MailText.objects.filter(company=self.company, name=name, language=language).exists()
        composer = mail_texts.Composer(self.company, only=(name,))
        row = _Row(name=name, language=language, text=composer.text(name, language), is_reworded=own)
        return self.shaped(MailTextShape, row)


class MailKinds(TextView):
    @operation("List texts of mails", right=SEES, answer=MailKindsShape, description="All of them, on one page.")
    def get(self, request: Request) -> HttpResponse:
        languages: dict[str, list[str]] = {}
        rows = MailText.objects.filter(company=self.company).order_by("language").values_list("name", "language")
        for name, language in rows:
            languages.setdefault(name, []).append(language)
        found = [_Row(kind=kind, languages=languages.get(kind.name, [])) for kind in mail_texts.names()]
        return self.shaped(MailKindsShape, found)


class OneText(TextView):
    @operation("Get a text of a mail", right=SEES, answer=MailTextShape)
    def get(self, request: Request, name: str, language: str) -> HttpResponse:
        return self.text(name, language)

    @operation(
        "Reword a mail", right=CHANGES, body=MailTextInput, answer=MailTextShape,
        refusals=["mail_text.unknown_placeholder", "mail_text.empty"],
    )  # fmt: skip
    def put(self, request: Request, given: dict[str, Any], name: str, language: str) -> HttpResponse:
        self.text(name, language)
        mail_texts.save(
            company=self.company, name=name, language=language, subject=given.get("subject", ""), body=given["body"],
            by=self.by, at=self.at,
        )  # fmt: skip
        return self.text(name, language)


class RestoreText(TextView):
    @operation("Go back to the product's words", right=CHANGES, answer=MailTextShape)
    def post(self, request: Request, name: str, language: str) -> HttpResponse:
        self.text(name, language)
        mail_texts.restore(company=self.company, name=name, language=language, by=self.by, at=self.at)
        return self.text(name, language)


class SuppressionView(ResourceView):
    tag = "Mails"
    places: ClassVar[dict[str, Any]] = {"suppression": "sup"}
    model, shape = Suppression, SuppressionShape

    def rows(self) -> QuerySet[Any]:
        return super().rows().select_related("message")


class Suppressions(SuppressionView):
    @operation(
        "List blocked addresses", right=READ, answer=SuppressionShape, paged=True,
        filters=[
            Filter("address", "text", path="address__iexact", help="Exactly this address."),
            Filter("reason", "choice", choices=tuple(Suppression.Reason.values), help="Why."),
            Filter("scope", "choice", choices=tuple(Suppression.Scope.values), help="What is not sent."),
            Filter("is_lifted", "yes", build=_lifted, help="No longer blocked."),
        ],
    )  # fmt: skip
    def get(self, request: Request) -> HttpResponse:
        return self.page()

    @operation(
        "Block an address", right=WRITE, body=SuppressionInput, answer=SuppressionShape, status=201,
        description="An address that is blocked already stays as it is.", refusals=["customer.email_form"],
    )  # fmt: skip
    def post(self, request: Request, given: dict[str, Any]) -> HttpResponse:
        row = suppressing.suppress(
            company=self.company, reason=Suppression.Reason.MANUAL, by=self.by, at=self.at, **given
        )
        return self.fresh(row, 201)


class OneSuppression(SuppressionView):
    @operation("Get a blocked address", right=READ, answer=SuppressionShape)
    def get(self, request: Request, suppression: str) -> HttpResponse:
        return self.one(self.find(suppression))


class LiftSuppression(SuppressionView):
    @operation("Send to an address again", right=WRITE, answer=SuppressionShape)
    def post(self, request: Request, suppression: str) -> HttpResponse:
        return self.fresh(suppressing.lift(suppression=self.find(suppression), by=self.by, at=self.at))


class AllowCustomer(CustomerView):
    @operation("Note that a customer allows advertising", right=WRITE, body=ConsentInput, answer=CustomerShape,
               description="To the customer's own address; contacts say so for theirs.")  # fmt: skip
    def post(self, request: Request, given: dict[str, Any], customer: str) -> HttpResponse:
        return self.fresh(consents.allow(holder=self.find(customer), by=self.by, at=self.at, **given))


class WithdrawCustomer(CustomerView):
    @operation("Note that a customer allows no advertising", right=WRITE, answer=CustomerShape)
    def post(self, request: Request, customer: str) -> HttpResponse:
        return self.fresh(consents.withdraw(holder=self.find(customer), by=self.by, at=self.at))


class AllowContact(ContactView):
    @operation("Note that a contact allows advertising", right=WRITE, body=ConsentInput, answer=ContactShape)
    def post(self, request: Request, given: dict[str, Any], contact: str) -> HttpResponse:
        return self.fresh(consents.allow(holder=self.find(contact), by=self.by, at=self.at, **given))


class WithdrawContact(ContactView):
    @operation("Note that a contact allows no advertising", right=WRITE, answer=ContactShape)
    def post(self, request: Request, contact: str) -> HttpResponse:
        return self.fresh(consents.withdraw(holder=self.find(contact), by=self.by, at=self.at))


urlpatterns = [
    path("mail-texts", MailKinds.as_view()),
    path("mail-texts/<str:name>/<str:language>", OneText.as_view()),
    path("mail-texts/<str:name>/<str:language>/restore", RestoreText.as_view()),
    path("suppressions", Suppressions.as_view()),
    path("suppressions/<str:suppression>", OneSuppression.as_view()),
    path("suppressions/<str:suppression>/lift", LiftSuppression.as_view()),
    path("customers/<str:customer>/allow-marketing", AllowCustomer.as_view()),
    path("customers/<str:customer>/withdraw-marketing", WithdrawCustomer.as_view()),
    path("contacts/<str:contact>/allow-marketing", AllowContact.as_view()),
    path("contacts/<str:contact>/withdraw-marketing", WithdrawContact.as_view()),
]
