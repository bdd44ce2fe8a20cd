"""Texts of mails: placeholders in one pass, empty lines left out, a company's own words in place of the product's."""

from __future__ import annotations

import pytest

from core.models import AuditDetail, AuditEntry
from core.refusal import Refused
from customers.services import mail_texts
from customers.services.mail_texts import Composed, MissingValue, fill
from tests.factories import BY, a_company

pytestmark = pytest.mark.django_db


@pytest.fixture
def greeting(monkeypatch):
    """A mail of its own, known for one test."""
    monkeypatch.setattr(mail_texts, "_kinds", dict(mail_texts._kinds))
    mail_texts.register(
        "test_greeting",
        title="Greeting",
        purpose="Says hello.",
        placeholders={"customer": "Name", "link": "Where to pay"},
        category="contract",
        subject="Hello {customer}",
        body="Dear {customer},\n\nPay here:\n{link}\n\nYours\n{company}\n",
    )
    yield "test_greeting"
    mail_texts.default_text.cache_clear()


def saved(company, name, subject="Hi {customer}", body="Hi {customer}!\n", language="en"):
    return mail_texts.save(
        company=company, name=name, language=language, subject=subject, body=body, by=BY, at=company.clock_at
    )


def composed(company, name, **facts):
    return mail_texts.compose(company=company, name=name, language="en", facts={"customer": "Ada", "link": "", **facts})


def test_a_value_is_never_read_again() -> None:
    assert fill("{a} {b}", {"a": "{b}", "b": "{a}"}) == "{b} {a}"


def test_braces_that_name_nothing_stay(greeting) -> None:
    assert fill("a { b } }{", {" b ": "x"}) == "a x }{"
    assert fill("{\n}", {}) == "{\n}"


def test_a_line_whose_placeholders_are_all_empty_is_left_out() -> None:
    text = "Account: {label}\nHolder: {holder}\nplain"
    assert fill(text, {"label": "", "holder": "Ada"}) == "Holder: Ada\nplain"


def test_a_paragraph_whose_placeholders_are_all_empty_is_left_out_with_its_words() -> None:
    assert fill("One\n\nPay now:\n{link}\n\nTwo", {"link": " "}) == "One\n\nTwo"


def test_a_line_with_one_value_of_two_stays() -> None:
    assert fill("{a}/{b}", {"a": "", "b": "x"}) == "/x"


def test_a_missing_value_is_a_clear_error(greeting) -> None:
    with pytest.raises(MissingValue, match="'test_greeting' lacks link"):
        mail_texts.compose(company=a_company(), name=greeting, language="en", facts={"customer": "Ada"})


def test_the_products_words_hold_until_a_company_has_its_own(greeting) -> None:
    company = a_company()
    assert composed(company, greeting) == Composed("Hello Ada", f"Dear Ada,\n\nYours\n{company.name}\n")
    saved(company, greeting)
    assert composed(company, greeting) == Composed("Hi Ada", "Hi Ada!\n")
    assert composed(a_company(slug="other"), greeting).subject == "Hello Ada"


def test_own_words_hold_in_one_language_alone(greeting) -> None:
    company = a_company()
    saved(company, greeting, language="de")
    assert composed(company, greeting).subject == "Hello Ada"


def test_an_unknown_placeholder_is_refused_by_its_name(greeting) -> None:
    with pytest.raises(Refused) as refused:
        saved(a_company(), greeting, body="{customer} {custommer}")
    assert (refused.value.field, refused.value.message) == ("body", "{custommer} is no placeholder of this mail.")


def test_the_products_own_words_are_not_kept_as_a_companys(greeting) -> None:
    company = a_company()
    saved(company, greeting)
    assert (
        saved(company, greeting, "Hello {customer}", "Dear {customer},\n\nPay here:\n{link}\n\nYours\n{company}")
        is None
    )
    assert not mail_texts.MailText.objects.exists()


def test_restoring_brings_back_the_products_words_and_keeps_the_companys_in_the_audit_log(greeting) -> None:
    company = a_company()
    saved(company, greeting)
    mail_texts.restore(company=company, name=greeting, language="en", by=BY, at=company.clock_at)
    assert composed(company, greeting).subject == "Hello Ada"
    entry = AuditEntry.objects.get(verb="mail_text.restore")
    assert AuditDetail.objects.get(entry=entry).before == {"subject": "Hi {customer}", "body": "Hi {customer}!\n"}


def test_the_signature_is_a_text_of_its_own() -> None:
    company = a_company(phone="", email="office@nordlicht.example")
    composer = mail_texts.Composer(company)
    assert composer.signature("en") == f"Kind regards\n{company.legal_name}\noffice@nordlicht.example"
    saved(company, "signature", "", "Bye\n{website}\n{company}")
    assert mail_texts.Composer(company).signature("en") == f"Bye\n{company.name}"
    assert mail_texts.Composer(company).signature("de").startswith("Freundliche Grüße")


def every_text() -> list[tuple[str, str]]:
    return [(kind.name, language) for kind in mail_texts.names() for language in mail_texts.LANGUAGES]


def test_every_mail_has_words_in_five_languages_that_name_nothing_unknown() -> None:
    for name, language in every_text():
        text = mail_texts.default_text(name, language)
        assert mail_texts.check(mail_texts.kind_of(name), text.subject, text.body) == text, (name, language)


def test_every_translation_names_what_the_english_words_name() -> None:
    for name, language in every_text():
        english, other = mail_texts.default_text(name, "en"), mail_texts.default_text(name, language)
        for part in ("subject", "body"):
            named = [
                sorted(found[1] for found in mail_texts._PLACEHOLDER.finditer(getattr(text, part)))
                for text in (english, other)
            ]
            assert named[0] == named[1], (name, language, part)


@pytest.mark.parametrize("language", ["de", "fr", "it", "es"])
def test_the_mails_of_billing_speak_the_language(language: str) -> None:
    for name in ("invoice_issued", "reminder_2", "debit_notice", "pay_link", "portal_invitation"):
        assert mail_texts.default_text(name, language).body != mail_texts.default_text(name, "en").body


def test_a_value_with_braces_is_shown_as_it_is(greeting) -> None:
    assert composed(a_company(), greeting, customer="{link} {0} {{x}}").subject == "Hello {link} {0} {{x}}"


def test_a_value_adds_no_paragraph_rule_of_its_own(greeting) -> None:
    mail = composed(a_company(), greeting, link="one\n\ntwo")
    assert "Pay here:\none\n\ntwo\n\nYours" in mail.body
