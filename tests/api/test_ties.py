"""Ties through the API: made, changed, tried, run and looked at; their keys are never read back."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from tests.api.caller import Caller
from tests.crm.tying import BY, KEYS, NOW, a_company, a_tie, run, running, subscribed

pytestmark = pytest.mark.django_db


@pytest.fixture
def there(tmp_path: Any, settings: Any) -> Any:
    with running(tmp_path) as found:
        settings.TIE_ADDRESSES = found.addresses
        yield found


def caller(company: Any, *scopes: str) -> Caller:
    from core.services.keys import issue_key

    _key, text = issue_key(company=company, name="Test", scopes=scopes or ["*"], by=BY, at=NOW)
    return Caller(text)


def test_a_tie_is_made_tried_switched_on_run_and_its_log_read(there: Any) -> None:
    from core.models import Job
    from core.services import jobs

    company = a_company()
    (customer,) = subscribed(company)
    api = caller(company)
    made = api.post("ties", {"kind": "brevo", "name": "News", "secret": KEYS["brevo"], "audience": "7",
                             "is_two_way": True})  # fmt: skip
    assert made.status_code == 201, made.json()
    tie = made.json()
    assert (tie["kind"], tie["is_on"], tie["is_two_way"]) == ("brevo", False, True)
    assert api.post(f"ties/{tie['id']}/test", {}).json() == {"account": "Nordlicht · Customers"}
    assert api.post(f"ties/{tie['id']}/switch-on", {}).json()["is_on"] is True
    assert api.post(f"ties/{tie['id']}/run", {}).status_code == 202
    jobs.work(Job.objects.get(company=company, kind="run_tie").pk)
    there.control("brevo", "edit", email=customer.email, attributes={"PHONE": "+49 30 2"})
    api.post(f"ties/{tie['id']}/run", {})
    jobs.work(Job.objects.filter(company=company, kind="run_tie").latest("pk").pk)
    newest, first = api.get(f"ties/{tie['id']}/runs").json()["data"]
    assert (first["sent"], newest["taken"], newest["error"]) == (1, 1, "")
    (change,) = api.get(f"ties/{tie['id']}/changes?outcome=taken").json()["data"]
    assert (change["key"], change["what"], change["theirs"]) == (customer.email, "phone", "+49 30 2")
    assert api.get(f"ties/{tie['id']}/changes?outcome=ours").json()["data"] == []
    (record,) = api.get(f"ties/{tie['id']}/records?state=sent").json()["data"]
    assert (record["customer"], record["key"]) == (customer.ref, customer.email)
    assert api.post(f"ties/{tie['id']}/switch-off", {}).json()["is_on"] is False


def test_a_key_is_written_and_never_read_and_stays_when_it_is_left_out() -> None:
    company = a_company()
    tie = a_tie(company)
    api = caller(company)
    answers = [api.get("ties"), api.get(f"ties/{tie.ref}"), api.patch(f"ties/{tie.ref}", {"name": "Letter"})]
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert all("secret" not in answer.content.decode() for answer in answers)
    assert all(KEYS["brevo"] not in answer.content.decode() for answer in answers)
    tie.refresh_from_db()
    assert (tie.name, tie.secret, tie.audience) == ("Letter", KEYS["brevo"], "7")


def test_what_the_other_system_says_no_to_is_told_in_clear_words(there: Any) -> None:
    company = a_company()
    tie = a_tie(company, secret="xkeysib-old")
    answer = caller(company).post(f"ties/{tie.ref}/test", {})
    assert answer.status_code in (409, 422) and answer.json()["code"] == "tie.key_wrong"


def test_files_are_given_in_and_tables_taken_out(client: Any) -> None:
    company = a_company()
    (customer,) = subscribed(company)
    api = caller(company)
    tie = api.post("ties", {"kind": "csv", "name": "Files"}).json()
    content = base64.b64encode(f"email,advertising\n{customer.email},no\nx,no\n".encode()).decode()
    given = api.post(f"ties/{tie['id']}/files", {"file_name": "off.csv", "content": content})
    assert (given.status_code, given.json()["line_count"]) == (201, 2)
    from crm.models import Tie

    run(Tie.objects.get(company=company))
    lines = api.get(f"ties/{tie['id']}/files/{given.json()['id']}/results").json()["data"]
    assert [(line["line"], line["outcome"]) for line in lines] == [(1, "unsubscribed"), (2, "refused")]
    table = api.get(f"ties/{tie['id']}/tables/contacts")
    assert table["Content-Type"] == "text/csv; charset=utf-8"
    assert customer.email in b"".join(table.streaming_content).decode()
    assert api.get(f"ties/{tie['id']}/tables/secrets").status_code == 404
    api.post(f"ties/{tie['id']}/switch-on", {})
    link = api.post(f"ties/{tie['id']}/link", {}).json()["urls"]["contacts"]
    path = link[link.index("/tie-files/") :]
    assert client.get(path).status_code == 200
    assert api.delete(f"ties/{tie['id']}/link").status_code == 204
    assert client.get(path).status_code == 404


@pytest.mark.parametrize("scopes", [("customers:read",), ("settings:read",)])
def test_who_may_not_write_settings_changes_no_tie(scopes: tuple[str, ...]) -> None:
    company = a_company()
    tie = a_tie(company)
    api = caller(company, *scopes)
    assert api.get("ties").status_code == (200 if scopes == ("settings:read",) else 403)
    for path in ("ties", f"ties/{tie.ref}/run", f"ties/{tie.ref}/switch-off", f"ties/{tie.ref}/files"):
        assert api.post(path, {}).status_code == 403
    assert api.patch(f"ties/{tie.ref}", {"name": "x"}).status_code == 403


def test_a_tie_of_another_company_is_not_there() -> None:
    tie = a_tie(a_company())
    api = caller(a_company())
    assert api.get("ties").json()["data"] == []
    for path in ("", "/runs", "/changes", "/records", "/files", "/tables/contacts"):
        assert api.get(f"ties/{tie.ref}{path}").status_code == 404
    assert api.post(f"ties/{tie.ref}/run", {}).status_code == 404
