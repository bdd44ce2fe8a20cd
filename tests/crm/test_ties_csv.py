"""A tie by CSV files: what is downloaded, and what files of changes bring, line by line."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest

from tests.crm.tying import BY, NOW, a_company, a_customer, a_tie, run, subscribed
from tests.factories import TODAY, a_plan, a_subscription

pytestmark = pytest.mark.django_db


def a_csv_tie(company: Any, **more: Any) -> Any:
    return a_tie(company, "csv", secret="", audience="", **more)


def table(tie: Any, name: str) -> list[dict[str, str]]:
    """The table as a reader of the file sees it."""
    from core.spreadsheets import csv_lines
    from crm.services import tie_files

    text = "".join(csv_lines(*tie_files.table(tie, name)))
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))


def give(tie: Any, text: str, name: str = "changes.csv") -> Any:
    from crm.services import tie_files

    return tie_files.give_in(tie=tie, name=name, content=text.encode(), by=BY, at=NOW)


def outcomes(file: Any) -> list[tuple[int, str, str]]:
    from crm.services import tie_files

    file.refresh_from_db()
    return list(tie_files.results(file))


def test_contacts_companies_figures_and_segments_are_downloaded_as_of_the_last_run():
    from tests.crm.mailing import a_segment, only

    company = a_company()
    (yes,) = subscribed(company, phone="+49 30 1")
    no = a_customer(company)
    subscription = a_subscription(company, yes, a_plan(company, amount="12.50"), on=TODAY)
    mine = a_segment(company, only({"field": "email", "op": "is", "value": yes.email}), name="VIP")
    tie = a_csv_tie(company, marks=[mine])
    assert table(tie, "contacts") == []
    assert run(tie)["sent"] == 5
    people = {row["email"]: row for row in table(tie, "contacts")}
    assert {key: row["advertising"] for key, row in people.items()} == {yes.email: "yes", no.email: "no"}
    assert (people[yes.email]["phone"], people[yes.email]["segments"]) == ("'+49 30 1", "VIP")
    assert (people[yes.email]["mrr"], people[yes.email]["customer"]) == ("12.50", yes.ref)
    assert [row["company"] for row in table(tie, "companies")] == [yes.name, no.name]
    (figure,) = table(tie, "figures")
    assert (figure["subscription"], figure["customer"], figure["mrr"]) == (subscription.ref, yes.ref, "12.50")
    assert {(row["segment"], row["customer"], row["email"]) for row in table(tie, "segments")} == {
        ("VIP", yes.ref, ""), ("VIP", yes.ref, yes.email),
    }  # fmt: skip
    assert run(tie) == {}


def test_what_begins_like_a_formula_is_neutralised_in_every_cell():
    company = a_company()
    a_customer(company, name="=HYPERLINK(1)")
    tie = a_csv_tie(company)
    run(tie)
    assert [row["company"] for row in table(tie, "companies")] == ["'=HYPERLINK(1)"]


def test_each_line_of_a_file_is_answered_and_a_bad_one_stops_no_other():
    company = a_company()
    ada, bob, cy = (a_customer(company, kind="person", name=name) for name in ("Ada", "Bob", "Cy"))
    tie = a_csv_tie(company)
    run(tie)
    file = give(tie, "\n".join([
        "email,name,phone,advertising,new_email",
        f"{ada.email},Ada King,'+49 30 1,,",
        "nobody@example.com,Nobody,,,",
        f"{bob.email},=cmd|x,,,",
        f"{bob.email},,call me,,",
        "not an address,,,,",
        f"{bob.email},,,perhaps,",
        f"{bob.email},Bob,,no,",
        f"{cy.email},Cy,,,cy.new@example.com",
        f"{cy.email},Cy,,yes,",
    ]))  # fmt: skip
    assert (file.line_count, file.state) == (9, "waiting")
    found = run(tie)
    assert (found["taken"], found["unsubscribed"], found["failed"], found["conflicts"]) == (2, 1, 5, 2)
    assert [(line, outcome) for line, outcome, _why in outcomes(file)] == [
        (1, "taken"), (2, "unknown"), (3, "refused"), (4, "refused"), (5, "refused"), (6, "refused"),
        (7, "unsubscribed"), (8, "asked"), (9, "kept"),
    ]  # fmt: skip
    assert "formula" in outcomes(file)[2][2]
    for one in (ada, bob, cy):
        one.refresh_from_db()
    assert (ada.name, ada.phone, bob.name, cy.email != "cy.new@example.com") == ("Ada King", "+49 30 1", "Bob", True)
    assert cy.marketing_consent_at is None
    assert (file.state, file.done_count, file.failed_count, file.file_id) == ("done", 9, 5, None)
    assert run(tie) == {}


def test_what_was_downloaded_and_given_in_again_changes_nothing():
    company = a_company()
    subscribed(company, 2, kind="person", name="Ada Byron", phone="+49 30 1")
    tie = a_csv_tie(company)
    run(tie)
    from core.spreadsheets import csv_lines
    from crm.services import tie_files

    file = give(tie, "".join(csv_lines(*tie_files.table(tie, "contacts"))))
    assert run(tie) == {}
    assert [outcome for _line, outcome, _why in outcomes(file)] == ["unchanged", "unchanged"]


def test_an_unsubscription_in_a_file_takes_the_consent_back_and_shows_in_the_next_download():
    company = a_company()
    (customer,) = subscribed(company)
    tie = a_csv_tie(company)
    run(tie)
    give(tie, f"E-Mail;Newsletter\n{customer.email};nein\n")
    assert run(tie)["unsubscribed"] == 1
    customer.refresh_from_db()
    assert customer.marketing_consent_at is None
    assert [row["advertising"] for row in table(tie, "contacts")] == ["no"]


def test_a_crash_between_portions_goes_on_where_it_was(monkeypatch: Any):
    from crm.services import tie_hearing
    from crm.ties import csv_files

    monkeypatch.setattr(csv_files, "PORTION", 2)
    company = a_company()
    people = [a_customer(company, kind="person", name=f"P {n}") for n in range(5)]
    tie = a_csv_tie(company)
    run(tie)
    file = give(tie, "email,name\n" + "".join(f"{one.email},Q {n}\n" for n, one in enumerate(people)))
    real, calls = tie_hearing._Page.take, []

    def dies(page: Any) -> Any:
        calls.append(page)
        if len(calls) == 2:
            raise SystemExit
        return real(page)

    with monkeypatch.context() as broken:
        broken.setattr(tie_hearing._Page, "take", dies)
        with pytest.raises(SystemExit):
            run(tie)
    file.refresh_from_db()
    assert (file.done_count, file.state) == (2, "waiting")
    assert run(tie)["taken"] == 3
    assert [outcome for _line, outcome, _why in outcomes(file)] == ["taken"] * 5
    for n, one in enumerate(people):
        one.refresh_from_db()
        assert one.name == f"Q {n}"


@pytest.mark.parametrize(("said", "outcome"), [
    ("2026-05-02", "taken"), ("2999-01-01", "taken"), ("0001-01-01T00:00:00+05:00", "refused"), ("soon", "refused"),
])  # fmt: skip
def test_an_instant_that_is_none_refuses_its_line_and_one_to_come_counts_as_now(said: str, outcome: str):
    company = a_company()
    ada = a_customer(company, kind="person", name="Ada")
    tie = a_csv_tie(company)
    run(tie)
    file = give(tie, f"email,name,changed_at\n{ada.email},Ada King,{said}\n")
    run(tie)
    assert [found for _line, found, _why in outcomes(file)] == [outcome]
    assert all(change.changed_at <= change.at for change in tie.changes.all())


def test_of_an_archived_tie_neither_files_nor_changes_are_left():
    from core.models import StoredFile
    from crm.services import tie_accounts

    company = a_company()
    ada = a_customer(company, kind="person", name="Ada")
    tie = a_csv_tie(company)
    run(tie)
    give(tie, f"email,name\n{ada.email},Ada King\n", name="read.csv")
    run(tie)
    give(tie, f"email,name\n{ada.email},Ada Queen\n", name="waits.csv")
    assert list(StoredFile.objects.filter(company=company).values_list("name", flat=True)) == ["waits.csv"]
    tie_accounts.archive(tie=tie, by=BY, at=NOW)
    assert not StoredFile.objects.filter(company=company).exists()
    assert (tie.changes.count(), tie.records.count()) == (0, 0)


@pytest.mark.parametrize(("content", "code"), [
    (b"name,phone\nAda,1\n", "tie.file_columns"), (b"email\n", "tie.file_empty"), (b"", "tie.file_columns"),
    (b"PK\x03\x04\0\0", "tie.file_unreadable"), (b"email\n" + b"a@b.c\n" * 20_001, "tie.file_large"),
])  # fmt: skip
def test_what_is_no_list_of_changes_is_refused_at_once(content: bytes, code: str):
    from core.refusal import Refused
    from crm.services import tie_files

    tie = a_csv_tie(a_company())
    with pytest.raises(Refused) as refused:
        tie_files.give_in(tie=tie, name="x.csv", content=content, by=BY, at=NOW)
    assert refused.value.code == code


def test_the_link_opens_one_tie_until_another_is_made_or_it_is_switched_off(client: Any):
    from crm.services import tie_accounts, tie_files

    company = a_company()
    subscribed(company)
    tie, other = a_csv_tie(company), a_csv_tie(company, name="Other")
    run(tie)
    old = tie_files.create_link(tie=tie, by=BY, at=NOW)
    token = tie_files.create_link(tie=tie, by=BY, at=NOW)
    assert tie_files.create_link(tie=other, by=BY, at=NOW) != token
    answer = client.get(f"/tie-files/{token}/contacts.csv")
    assert answer.status_code == 200 and b"".join(answer.streaming_content).count(b"\n") == 2
    assert (answer["Cache-Control"], answer["X-Robots-Tag"]) == ("private, no-store", "noindex")
    assert client.get(f"/tie-files/{old}/contacts.csv").status_code == 404
    assert client.get(f"/tie-files/{token}/secrets.csv").status_code == 404
    tie.refresh_from_db()
    assert token not in str(vars(tie))
    tie_accounts.switch(tie=tie, is_on=False, by=BY, at=NOW)
    assert client.get(f"/tie-files/{token}/contacts.csv").status_code == 404
    tie_accounts.switch(tie=tie, is_on=True, by=BY, at=NOW)
    tie_files.revoke_link(tie=tie, by=BY, at=NOW)
    assert client.get(f"/tie-files/{token}/contacts.csv").status_code == 404


def test_only_a_tie_by_files_takes_files_and_gives_links():
    from core.refusal import Refused
    from crm.services import tie_files

    tie = a_tie(a_company())
    with pytest.raises(Refused, match=r"tie\.no_files"):
        tie_files.create_link(tie=tie, by=BY, at=NOW)
    with pytest.raises(Refused, match=r"tie\.no_files"):
        give(tie, "email\na@b.c\n")


def test_an_erased_customer_is_in_no_later_download():
    from core.services import outbox
    from crm.services import erasing

    company = a_company()
    one, two = subscribed(company, 2)
    tie = a_csv_tie(company)
    run(tie)
    erasing.erase(customer=one, confirm=one.number, by=BY, at=NOW)
    outbox.relay(worker="test", company_id=company.pk, kinds=["forget_in_tie"])
    assert [row["email"] for row in table(tie, "contacts")] == [two.email]
