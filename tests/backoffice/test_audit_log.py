"""The audit log reads as words: acts, what they were done to, facts; codes stay for those who look for them."""

from __future__ import annotations

import csv
import io
from datetime import datetime
from types import SimpleNamespace
from typing import Any

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from tests.backoffice.conftest import Office
from tests.backoffice.test_acts import text_of
from tests.factories import BY, a_customer


def told(office: Office, verb: str, kind: str, pk: int, facts: dict[str, Any] | None = None, reason: str = "") -> None:
    from core.services import trail

    trail.audit(
        company_id=office.company.pk, at=office.at, by=BY, verb=verb, subject_kind=kind, subject_id=pk,
        facts=facts or {}, reason=reason,
    )  # fmt: skip


def german(office: Office) -> Client:
    from core.models import User

    User.objects.filter(pk=office.user().pk).update(language="de")
    return office.client()


def page_of(client: Client, query: str = "") -> Any:
    return client.get(reverse("backoffice:audit") + query)


def test_an_act_reads_in_the_readers_language_beside_its_code(office: Office) -> None:
    told(office, "plan.publish", "plan", office.plan.pk)
    text = text_of(page_of(german(office), "?verb=plan.publish"))
    assert f"Tarif in den Verkauf genommen plan.publish Tarif {office.plan.code}" in text


def test_what_it_was_done_to_leads_to_its_page(office: Office) -> None:
    invoice = office.invoice()
    told(office, "invoice.send", "invoice", invoice.pk)
    told(office, "customer.update", "customer", office.customer.pk)
    html = page_of(german(office)).content.decode()
    for row, name in ((invoice, invoice.number), (office.customer, office.customer.number)):
        kind = type(row).__name__.lower()
        assert f'<a href="{reverse(f"backoffice:{kind}", args=[row.ref])}">{name}</a>' in html


def test_what_is_gone_or_unknown_keeps_its_kind_and_id(office: Office) -> None:
    told(office, "note.add", "note", 987654)
    told(office, "parcel.send", "parcel", 17)
    text = text_of(page_of(german(office)))
    assert "Notiz geschrieben note.add note 987654" in text and "parcel.send parcel 17" in text


def test_a_row_of_another_company_is_not_named(office: Office) -> None:
    from tests.factories import a_company

    other = a_customer(a_company(slug="elsewhere"), name="Fremd")
    told(office, "customer.update", "customer", other.pk)
    text = text_of(page_of(german(office)))
    assert f"customer {other.pk}" in text and other.number not in text


def test_what_the_reader_may_not_open_is_not_named(office: Office) -> None:
    from core.models import Membership

    told(office, "customer.update", "customer", office.customer.pk)
    client = german(office)
    role = Membership.objects.get(user=office.user()).role
    role.rights = ["settings.read"]
    role.save()
    text = text_of(page_of(client, "?verb=customer.update"))
    assert f"customer {office.customer.pk}" in text and office.customer.number not in text


def test_facts_read_as_words_days_and_money(office: Office) -> None:
    facts = {
        "gross_minor": 123450, "currency": "EUR", "due_on": "2026-04-14", "since": "2026-04-14T10:00:00+00:00",
        "fields": ["payment_terms_days", "marketing_consent_at"], "payment_terms_days": [14, 30], "override": True,
        "blanked": 3,
    }  # fmt: skip
    told(office, "customer.update", "customer", office.customer.pk, facts)
    text = text_of(page_of(german(office), "?verb=customer.update"))
    assert "Geändert Zahlungsziel, Werbung erlaubt seit" in text
    assert "Gesamtbetrag 1.234,50 €" in text
    assert "Fällig 14.04.2026" in text and "Seit 14.04.2026, 12:00" in text
    assert "Zahlungsziel 14 → 30" in text and "Hebt eine Mindestlaufzeit auf ja" in text
    assert "blanked 3" in text and "EUR" not in text


def test_a_reason_code_reads_as_words(office: Office) -> None:
    told(office, "subscription.cancel", "subscription", 5, {"state": "active"}, "too_expensive")
    text = text_of(page_of(german(office)))
    assert "zu teuer" in text and "Status aktiv" in text and "too_expensive" not in text


def test_the_machine_that_acted_is_named_in_words(office: Office) -> None:
    told(office, "plan.publish", "plan", office.plan.pk)
    words = {"user": "Kollege", "system": "automatisch"}[BY.kind]
    assert f"{BY.label} {words}" in text_of(page_of(german(office), "?verb=plan.publish"))


def verbs_of(page: Any) -> set[str]:
    return {row.verb for row in page.context["list"].rows}


def test_an_act_is_chosen_by_its_words_and_found_by_all_its_codes(office: Office) -> None:
    for verb in ("subscription.change", "subscription.changed", "subscription.cancel"):
        told(office, verb, "subscription", 5)
    page = page_of(german(office), "?verb=subscription.change")
    assert verbs_of(page) == {"subscription.change", "subscription.changed"}
    assert ("subscription.change", "Konditionen geändert") in page.context["list"].form.fields["verb"].choices
    assert page.context["list"].chips[0]["value"] == "Konditionen geändert"


def test_a_link_that_names_the_beginning_of_a_code_still_works(office: Office) -> None:
    for verb in ("subscription.change", "subscription.cancel", "plan.publish"):
        told(office, verb, "subscription", 5)
    page = page_of(german(office), "?verb=subscription.c")
    assert verbs_of(page) == {"subscription.change", "subscription.cancel"}
    assert page.context["list"].chips[0]["value"] == "subscription.c"


def test_what_the_database_could_not_hold_is_not_looked_for(office: Office) -> None:
    assert page_of(office.client(), "?verb=plan%00").status_code == 200


def test_the_file_keeps_the_codes_and_says_them_in_words(office: Office) -> None:
    told(office, "plan.publish", "plan", office.plan.pk)
    body = page_of(german(office), "?verb=plan.publish&format=csv").getvalue().decode("utf-8-sig")
    row = next(csv.DictReader(io.StringIO(body)))
    assert (row["verb"], row["subject"], row["verb_words"]) == ("plan.publish", "plan", "Tarif in den Verkauf genommen")


def test_the_page_takes_as_many_statements_for_many_rows_as_for_few(office: Office) -> None:
    client = german(office)
    counts = []
    for more in (1, 12):
        for number in range(more):
            subscription = office.start(customer=a_customer(office.company, name=f"Kunde {more} {number}"))
            told(office, "plan.publish", "subscription", subscription.pk)
            told(office, "plan.publish", "customer", subscription.customer_id)
            told(office, "plan.publish", "contact", a_contact(subscription.customer, office.at).pk)
        page_of(client, "?verb=plan.publish")
        with CaptureQueriesContext(connection) as asked:
            page = page_of(client, "?verb=plan.publish")
        assert all(row.about for row in page.context["list"].rows)
        counts.append(len(asked))
    assert counts[0] == counts[1]


def a_contact(customer: Any, at: datetime) -> Any:
    from customers.services import contacts

    return contacts.add_contact(customer=customer, name="Ada", by=BY, at=at)


def test_every_kind_of_row_has_words_a_name_and_a_page_that_opens(office: Office) -> None:
    from backoffice.subjects import SUBJECTS, find, words_of
    from billing.services import interest_rates
    from core.models import AuditEntry
    from core.rights import RIGHTS
    from tests.backoffice.test_every_page import rows_of

    rows_of(office)
    interest_rates.seed()  # they come with the tables, and go where a test empties those
    keys = {kind: subject.model._default_manager.order_by("pk").first() for kind, subject in SUBJECTS.items()}
    keys["company"] = office.company
    entries = [AuditEntry(subject_kind=kind, subject_id=row.pk if row else 0) for kind, row in keys.items()]
    found = find(SimpleNamespace(company=office.company, rights=frozenset(RIGHTS)), entries)  # type: ignore[arg-type]
    # Of these no page of the house has a row.
    rare = {"alert", "calendar_link", "lead_form", "mail_text", "mandate", "reversal"}
    assert set(SUBJECTS) - {kind for kind, _ in found} <= rare
    client = office.client()
    assert {url: code for _, url in found.values() if url and (code := client.get(url).status_code) != 200} == {}
    assert all(words_of(kind) != kind for kind in SUBJECTS)
