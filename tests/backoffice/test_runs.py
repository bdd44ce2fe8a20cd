"""Runs and imports: a dry run first, then the job; parked subscriptions; an import taken back."""

from __future__ import annotations

from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from tests.backoffice.conftest import TODAY, Office
from tests.backoffice.test_acts import text_of
from tests.factories import BY, a_customer

LIST = """Id;Name;Mail;Country;Plan;Start
1;Ærø ApS;a@aero.example;DK;{plan};2026-03-01
2;=2+3;b@b.example;DE;{plan};2026-02-31
3;Çelik;c@c.example;FR;nowhere;2026-03-01
"""
MAPPING = """
[customer]
external_id = "Id"
name = "Name"
email = "Mail"
[customer.address]
country = "Country"
[plan]
code = "Plan"
[subscription]
external_id = "Id"
start = "Start"
"""


def work(answer: Any) -> Any:
    """Does the job a page asked for; the job as it is then."""
    from core.models import Job
    from core.services import jobs

    job = Job.by_ref(Job.objects.all(), answer["Location"].rstrip("/").rpartition("/")[2])
    jobs.work(job.pk)
    job.refresh_from_db()
    return job


def agreed(office: Office) -> Any:
    from subscriptions.services.starting import agree

    return agree(
        company=office.company,
        customer=office.customer,
        plan=office.plan,
        start_on=TODAY,
        on=TODAY,
        by=BY,
        at=office.at,
    )


def test_a_run_is_rehearsed_first_and_writes_nothing(office: Office) -> None:
    from billing.models import BillingRun, Invoice

    agreed(office)
    client = office.client("accounting")
    job = work(client.post(reverse("backoffice:run-start"), {"on": TODAY.isoformat(), "notify_since": ""}))
    page = text_of(client.get(reverse("backoffice:job", args=[job.ref])))
    assert "This was a dry run; nothing was changed." in page
    assert "€119.00" in page
    assert not Invoice.objects.exists()
    assert not BillingRun.objects.exists()


def test_the_run_bills_what_its_rehearsal_showed(office: Office) -> None:
    from billing.models import BillingRun, Invoice

    agreed(office)
    client = office.client("accounting")
    dry = work(client.post(reverse("backoffice:run-start"), {"on": TODAY.isoformat(), "notify_since": ""}))
    job = work(client.post(reverse("backoffice:run-do", args=[dry.ref])))
    assert Invoice.objects.get().gross_minor == 11900
    run = BillingRun.objects.get()
    assert job.result["run"] == run.ref
    page = text_of(client.get(reverse("backoffice:run", args=[run.ref])))
    assert "€119.00" in page
    assert (run.state, run.invoice_count, run.actor_label) == ("done", 1, "accounting")


def test_a_job_that_is_no_dry_run_can_not_be_repeated_as_a_run(office: Office) -> None:
    from billing.tasks import ask_for_run

    job = ask_for_run(company=office.company, on=TODAY, user=None)
    assert office.client().post(reverse("backoffice:run-do", args=[job.ref])).status_code == 404


def test_a_parked_subscription_is_listed_and_tried_again(office: Office) -> None:
    from billing.models import Invoice
    from subscriptions.models import Subscription

    subscription = agreed(office)
    Subscription.objects.filter(pk=subscription.pk).update(
        parked_at=office.at, parked_code="billing.unexpected", parked_detail="The rate was missing."
    )
    client = office.client("accounting")
    assert "The rate was missing." in text_of(client.get(reverse("backoffice:parked")))
    assert "Parked subscriptions" in text_of(client.get(reverse("backoffice:home")))
    answer = client.post(reverse("backoffice:parked-retry"), follow=True)
    assert "1 of 1 could be billed now." in text_of(answer)
    assert Invoice.objects.get().gross_minor == 11900


def upload(office: Office, **changes: Any) -> dict[str, Any]:
    content = LIST.format(plan=office.plan.code).encode()
    return {"file": SimpleUploadedFile("list.csv", content), "mapping": MAPPING, "on": TODAY.isoformat()} | changes


def test_an_import_names_every_bad_row_before_it_takes_the_others_over(office: Office) -> None:
    from customers.models import Customer
    from subscriptions.models import Import

    client = office.client("accounting")
    dry = work(client.post(reverse("backoffice:import-create"), upload(office)))
    assert dry.state == "done", dry.result
    page = text_of(client.get(reverse("backoffice:job", args=[dry.ref])))
    assert "2026-02-31" in page
    assert "nowhere" in page
    assert not Import.objects.exists()
    assert Customer.objects.count() == 1
    job = work(client.post(reverse("backoffice:import-do", args=[dry.ref])))
    source = Import.objects.get()
    assert (source.done_count, source.failed_count) == (1, 2)
    assert job.result["import"] == source.ref
    page = text_of(client.get(reverse("backoffice:import", args=[source.ref]) + "?state=failed"))
    assert "2026-02-31" in page
    assert Customer.objects.filter(name="Ærø ApS").exists()


def test_an_import_is_taken_back_while_nothing_was_billed(office: Office) -> None:
    from subscriptions.models import Import, Subscription

    client = office.client()
    dry = work(client.post(reverse("backoffice:import-create"), upload(office)))
    work(client.post(reverse("backoffice:import-do", args=[dry.ref])))
    source = Import.objects.get()
    client.post(reverse("backoffice:import-undo", args=[source.ref]))
    source.refresh_from_db()
    assert source.state == "undone"
    assert Subscription.objects.get().external_id == ""


def test_a_mapping_that_can_not_be_read_is_refused_on_the_form(office: Office) -> None:
    from core.models import Job

    client = office.client()
    for mapping in ("", "[customer", "[nonsense]\nx = 1"):
        answer = client.post(reverse("backoffice:import-create"), upload(office, mapping=mapping))
        if answer.status_code == 302:
            job = work(answer)
            assert job.state == "failed", mapping
            page = text_of(client.get(reverse("backoffice:job", args=[job.ref])))
            assert "It stopped." in page
        else:
            assert answer.status_code == 422, mapping
            assert "mapping" in answer.context["form"].errors
    assert not Job.objects.filter(state="done").exists()


def test_a_mapping_may_come_as_a_file(office: Office) -> None:
    client = office.client()
    chosen = SimpleUploadedFile("map.toml", MAPPING.encode())
    dry = work(client.post(reverse("backoffice:import-create"), upload(office, mapping="", mapping_file=chosen)))
    assert dry.result["done"] == 1
    broken = SimpleUploadedFile("map.toml", b"\xff\xfe")
    answer = client.post(reverse("backoffice:import-create"), upload(office, mapping="", mapping_file=broken))
    assert answer.status_code == 422


def test_a_running_job_draws_itself_anew(office: Office) -> None:
    from billing.tasks import ask_for_run
    from core.models import Job

    job = ask_for_run(company=office.company, on=TODAY, dry_run=True, user=None)
    Job.objects.filter(pk=job.pk).update(state="running", total=100, done=40, started_at=office.at)
    client, url = office.client("support"), reverse("backoffice:job", args=[job.ref])
    part = client.get(url, headers={"HX-Request": "true"}).content.decode()
    assert part.lstrip().startswith('<div class="stack" id="job" hx-get=')
    assert "40 of 100" in part
    Job.objects.filter(pk=job.pk).update(state="done")
    assert "hx-get" not in client.get(url, headers={"HX-Request": "true"}).content.decode()


def test_home_counts_what_waits_and_links_to_it(office: Office) -> None:
    from datetime import timedelta

    from tests.factories import set_clock

    invoice = office.invoice()
    office.start(customer=a_customer(office.company))
    set_clock(office.company, invoice.balance.payment_due_on + timedelta(days=1))
    client = office.client()
    (item,) = client.get(reverse("backoffice:home")).context["todo"]
    assert (str(item["label"]), item["count"]) == ("Overdue invoices", 2)
    assert len(client.get(item["url"]).context["list"].rows) == 2


def test_home_shows_the_figures_of_the_report_on_recurring_revenue(office: Office) -> None:
    office.start()
    client = office.client()
    card = client.get(reverse("backoffice:home-revenue")).context["tiles"]
    told = client.get(reverse("backoffice:report", args=["mrr"])).context["tiles"]
    assert [(tile.label, tile.text) for tile in card[:2]] == [
        ("Monthly recurring revenue", "€100.00"), ("Annual recurring revenue", "€1,200.00"),
    ]  # fmt: skip
    assert [tile for tile in told if tile in card] == card
