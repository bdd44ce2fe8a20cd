"""Large statements are read in by a job that says how far it is; small ones at once."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from tests.backoffice.conftest import Office
from tests.factories import BY, TODAY, a_company, a_customer, a_plan, at_noon
from tests.money.bank import lines_of
from tests.money.debits import billed

pytestmark = pytest.mark.django_db
CSV = "Buchungstag;Betrag;Währung;Name;IBAN;Verwendungszweck\n"


def csv_of(*rows: str) -> bytes:
    return (CSV + "".join(f"01.01.2026;{row}\n" for row in rows)).encode()


def rents(count: int) -> list[str]:
    return [f"{place},00;EUR;Stranger;;Rent {place}" for place in range(1, count + 1)]


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four lines are many."""
    from billing.services import bank_lines, statement_jobs

    monkeypatch.setattr(statement_jobs, "AT_ONCE", 3)
    monkeypatch.setattr(bank_lines, "TOLD", 2)


def take_in(company: Any, data: bytes, **more: Any) -> Any:
    from billing.services import statement_jobs

    return statement_jobs.take_in(company=company, data=data, name="a.csv", by=BY, at=at_noon(TODAY), **more)


def test_a_file_of_few_lines_is_read_in_at_once(few: None) -> None:
    from core.models import Job

    company = a_company()
    assert (take_in(company, csv_of(*rents(3))).new, len(lines_of(company)), Job.objects.count()) == (3, 3, 0)


def test_a_large_one_becomes_a_job_that_does_the_same(few: None) -> None:
    from billing.models import BankLine, BankStatement, Payment
    from core.models import Job, StoredFile
    from core.services import jobs

    company = a_company(payment_terms_days=0)
    customer = a_customer(company)
    invoice = billed(company, customer)
    job = take_in(company, csv_of(*rents(4), f"11,90;EUR;{customer.name};;{invoice.number}", "x;EUR;Ada;;bad"))
    assert isinstance(job, Job)
    assert (lines_of(company), job.state) == ([], "waiting")
    done = jobs.work(job.pk)
    assert done is not None
    statement = BankStatement.objects.get()
    assert (done.state, done.total, done.done) == ("done", 5, 5)
    problems = done.result.pop("problems")
    assert done.result == {
        "lines": 5, "new": 5, "known": 0, "open": 4, "suggested": 0, "matched": 1, "ignored": 0,
        "statements": [statement.ref], "problem_count": 1,
    }  # fmt: skip
    assert [(code, params["value"]) for _place, code, params in problems] == [("bank.line_amount", "x")]
    assert (statement.imported_by, StoredFile.objects.count()) == (BY.label, 1)
    assert Payment.objects.get().amount_minor == 1190
    assert BankLine.objects.filter(state="matched").count() == 1


def test_progress_is_told_on_the_way(few: None) -> None:
    from billing.services import bank_lines

    company, told = a_company(), []
    take_in(company, csv_of(*rents(3)))
    ids = [line.pk for line in lines_of(company)]
    bank_lines.match(company=company, line_ids=ids, at=at_noon(TODAY), told=lambda *said: told.append(said))
    assert told == [(0, 3), (2, 3), (3, 3)]


def test_a_job_that_stopped_in_the_middle_does_the_rest(few: None, monkeypatch: pytest.MonkeyPatch) -> None:
    from billing.services import bank_lines
    from core.models import Job
    from core.services import jobs

    company = a_company()
    job = take_in(company, csv_of(*rents(4)))
    with monkeypatch.context() as stopped:
        stopped.setattr(bank_lines, "match", lambda **_: 1 / 0)
        failed = jobs.work(job.pk)
    assert failed is not None
    assert (failed.state, len(lines_of(company))) == ("failed", 4)
    Job.objects.filter(pk=job.pk).update(state="waiting")
    again = jobs.work(job.pk)
    assert again is not None
    assert (again.state, again.result["new"], again.result["known"], again.result["open"]) == ("done", 0, 4, 4)
    assert (again.skipped, len(lines_of(company))) == (4, 4)


def test_a_large_file_that_can_not_be_read_is_refused_before_there_is_a_job(few: None) -> None:
    from core.models import Job, StoredFile
    from core.refusal import Refused

    with pytest.raises(Refused, match="bank."):
        take_in(a_company(), b"junk" * 1000)
    assert (Job.objects.count(), StoredFile.objects.count()) == (0, 0)


def test_the_office_goes_to_the_page_of_the_job(few: None) -> None:
    from core.models import Job
    from core.services import jobs

    company = a_company(today=TODAY)
    client = Office(company, a_plan(company), a_customer(company)).client()
    file = SimpleUploadedFile("a.csv", csv_of(*rents(4), "x;EUR;Ada;;bad"))
    answer = client.post(reverse("backoffice:bank-read"), {"file": file})
    job = Job.objects.get()
    assert answer["Location"] == reverse("backoffice:job", args=[job.ref])
    assert 'hx-trigger="every 1s"' in client.get(answer["Location"]).content.decode()
    jobs.work(job.pk)
    page = client.get(answer["Location"]).content.decode()
    assert "Read a statement in" in page
    assert reverse("backoffice:bank") + "?view=statements" in page
    assert "every 1s" not in page
    assert job.requested_by is not None


def test_the_api_names_the_job_and_one_key_makes_one(few: None) -> None:
    from core.models import Job
    from core.services import jobs
    from tests.api.caller import Caller, key_for

    company = a_company(today=TODAY)
    api = Caller(key_for(company, "payments:read", "payments:write"))
    sent = {"content": base64.b64encode(csv_of(*rents(4))).decode(), "name": "a.csv"}
    first, again = (api.post("bank-statements", sent, **{"Idempotency-Key": "one"}) for _ in range(2))
    job = Job.objects.get()
    assert (first.status_code, first.body["job"], first.body["new"]) == (201, job.ref, 0)
    assert again.body == first.body
    jobs.work(job.pk)
    assert api.get(f"jobs/{job.ref}").body["result"]["new"] == 4
