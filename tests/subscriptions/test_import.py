"""Imports: whole lines, never twice, exactly as the file says, taken back while nothing was billed."""

from __future__ import annotations

import csv
import io
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from catalog.models import Plan, Product
from catalog.services import plans as catalog_plans
from core.models import AuditEntry, Event, Job, Outbox
from core.refusal import Refused
from core.services import files, jobs
from customers.models import Address, Contact, Customer
from customers.services import customers
from subscriptions.models import Import, ImportLine, Movement, Slot, SlotTerms, Subscription
from subscriptions.services import importing
from tests.factories import BY, a_customer, a_plan

from .importing import AT, MAPPING, ON, an_american_company, take

TELCO = Path(__file__).parents[2] / "docs/how-to/telecom/telco.toml"
TELCO_HEADING = (
    "customerID,gender,SeniorCitizen,Partner,Dependents,tenure,PhoneService,MultipleLines,InternetService,"
    "OnlineSecurity,OnlineBackup,DeviceProtection,TechSupport,StreamingTV,StreamingMovies,Contract,PaperlessBilling,"
    "PaymentMethod,MonthlyCharges,TotalCharges,Churn"
)
TELCO_LINES = (
    "7590-VHVEG,Female,0,Yes,No,1,No,No phone service,DSL,No,Yes,No,No,No,No,Month-to-month,Yes,"
    "Electronic check,29.85,29.85,No",
    "5575-GNVDE,Male,0,No,No,34,Yes,No,Fiber optic,Yes,No,Yes,No,No,No,One year,No,Mailed check,56.95,1889.5,No",
    "3668-QPYBK,Male,0,No,No,2,Yes,No,DSL,Yes,Yes,No,No,No,No,Month-to-month,Yes,Mailed check,53.85,108.15,Yes",
    "4472-LVYGI,Female,0,Yes,Yes,0,No,No phone service,No,Yes,No,Yes,Yes,Yes,No,Two year,Yes,"
    "Bank transfer (automatic),52.55, ,No",
)


@pytest.fixture
def company(db):
    return an_american_company()


def telco(company, **more):
    return take(company, *TELCO_LINES, heading=TELCO_HEADING, mapping=TELCO.read_text(), **more)


def test_the_shipped_telecom_mapping_reads_the_list(company):
    outcome = telco(company, with_history=True)
    assert (outcome.lines, outcome.done, outcome.failed, outcome.customers, outcome.ended) == (4, 4, 0, 4, 1)
    # 29.85 + 56.95 + 52.55; who left is worth nothing any more.
    assert outcome.mrr_minor == {"USD": 13935}
    assert outcome.unused_columns == ["TotalCharges"]


def test_a_telecom_subscriber_comes_in_as_the_file_says(company):
    telco(company, with_history=True)
    subscription = Subscription.objects.select_related("customer", "plan").get(external_id="5575-GNVDE")
    # 34 months before 1 November 2026.
    assert subscription.start_on == subscription.paid_from_on == date(2024, 1, 1)
    assert (subscription.plan.code, subscription.state, subscription.currency) == ("fiber", "active", "USD")
    assert (subscription.minimum_count, subscription.renewal_rule, subscription.notice_to) == (12, "renew", "term_end")
    assert (subscription.term_start_on, subscription.term_ends_on) == (date(2026, 1, 1), date(2026, 12, 31))
    assert subscription.metadata["contract"] == "One year"
    assert (subscription.customer.payment_method, subscription.customer.kind) == ("Mailed check", "person")
    assert Address.objects.get(customer=subscription.customer).country == "US"
    slot = Slot.objects.get(subscription=subscription)
    assert (slot.billed_through_on, slot.elsewhere_through_on, slot.mrr_minor) == (date(2023, 12, 31), None, 5695)
    assert SlotTerms.objects.get(slot=slot).unit_amount == Decimal("56.95")


def test_who_left_had_the_day_before_as_the_last(company):
    telco(company, with_history=True)
    left = Subscription.objects.get(external_id="3668-QPYBK")
    assert (left.state, left.ends_on) == ("canceled", date(2026, 10, 31))
    moved = Movement.objects.filter(subscription=left).order_by("pk")
    assert list(moved.values_list("kind", "amount_minor", "effective_on")) == [
        ("new", 5385, date(2026, 9, 1)),
        ("churn", -5385, date(2026, 11, 1)),
    ]


def test_without_history_earlier_days_were_billed_elsewhere(company):
    telco(company)
    slot = Slot.objects.get(subscription__external_id="5575-GNVDE")
    assert slot.billed_through_on == slot.elsewhere_through_on == date(2026, 10, 31)
    assert Subscription.objects.get(external_id="5575-GNVDE").next_bill_on == date(2026, 11, 1)


def test_a_second_run_finds_every_line_there_already(company):
    telco(company)
    before = AuditEntry.objects.filter(subject_kind="subscription").count()
    again = telco(company)
    assert (again.done, again.known, again.failed, again.customers) == (0, 4, 0, 0)
    assert Subscription.objects.count() == 4
    assert AuditEntry.objects.filter(subject_kind="subscription").count() == before


def test_a_dry_run_tells_the_same_and_changes_nothing(company):
    counts = [Customer, Subscription, Import, ImportLine, Plan, Product, Event, AuditEntry, Outbox]
    before = [model.objects.count() for model in counts]
    dry = telco(company, dry=True)
    assert [model.objects.count() for model in counts] == before
    real = telco(company)
    names = ("lines", "done", "known", "failed", "customers", "subscriptions", "ended", "mrr_minor", "problems")
    assert [getattr(dry, name) for name in names] == [getattr(real, name) for name in names]


def test_history_does_not_reach_before_the_books(company):
    outcome = take(company, "1,A,2019-12-31,5", "2,B,2020-01-01,5", with_history=True)
    assert outcome.done == 1
    [problem] = outcome.problems
    assert (problem.line, problem.field, problem.code) == (2, "subscription.start", "subscription.before_books")


def test_a_bad_line_stops_nobody_and_leaves_nothing(company):
    outcome = take(company, "1,Ann,2026-02-31,-5", "2,Bob,2026-01-01,5")
    assert (outcome.done, outcome.failed) == (1, 1)
    found = [(p.line, p.field, p.column, p.value, p.code) for p in outcome.problems]
    assert found == [
        (2, "subscription.start", "start", "2026-02-31", "import.date_impossible"),
        (2, "items.1.price", "price", "-5", "import.amount_negative"),
    ]
    assert list(Customer.objects.values_list("name", flat=True)) == ["Bob"]


@pytest.mark.parametrize(
    ("price", "code"),
    [
        ("1E5", "import.amount_exponent"),
        ("NaN", "import.amount_not_a_number"),
        ("-0", "import.amount_negative_zero"),
        ("-3", "import.amount_negative"),
        ("٣", "import.amount_other_digits"),
        ("５", "import.amount_other_digits"),
        ("", "import.amount_empty"),
        (" 5", "import.amount_space"),
        ('"1,000.00"', "import.amount_separator"),
        ("5 USD", "import.amount_space"),
        ("0x10", "import.amount_form"),
        ("0.00000000001", "number.places"),
        ("99999999999", "number.range"),
        ("9" * 41, "import.amount_too_long"),
    ],
)
def test_an_amount_that_is_none_is_refused_with_its_place(company, price, code):
    outcome = take(company, f"1,Ann,2026-01-01,{price}")
    assert [(p.line, p.field, p.code) for p in outcome.problems] == [(2, "items.1.price", code)]
    assert outcome.problems[0].message
    assert Customer.objects.count() == 0


@pytest.mark.parametrize(
    ("start", "code"),
    [
        ("2026-02-29", "import.date_impossible"),
        ("2026-13-01", "import.date_impossible"),
        ("01.02.2026", "import.date_form"),
        ("2026-1-1", "import.date_form"),
        ("٢٠٢٦-٠١-٠١", "import.date_form"),
        ("", "import.date_form"),
        ("0001-01-01", "import.date_range"),
        ("9999-12-31", "import.date_range"),
    ],
)
def test_a_day_that_is_none_is_refused_with_its_place(company, start, code):
    outcome = take(company, f"1,Ann,{start},5")
    assert [(p.field, p.column, p.code) for p in outcome.problems] == [("subscription.start", "start", code)]


def test_days_in_a_stated_form_and_a_decimal_comma(company):
    mapping = MAPPING + '[file]\ndates = "%d.%m.%Y"\ndecimal = ","\ndelimiter = ";"\n'
    outcome = take(
        company, "1;Ann;1.2.2026;12,50", "2;Bob;29.02.2024;1.5", mapping=mapping, heading="id;name;start;price"
    )
    assert Subscription.objects.get().start_on == date(2026, 2, 1)
    assert SlotTerms.objects.get().unit_amount == Decimal("12.5")
    assert [p.code for p in outcome.problems] == ["import.amount_separator"]


def test_an_end_before_the_start_is_refused(company):
    mapping = MAPPING.replace('start = "start"', 'start = "start"\nend = "end"')
    outcome = take(
        company,
        "1,Ann,2026-03-01,5,2026-02-28",
        "2,Bob,2026-03-01,5,",
        mapping=mapping,
        heading="id,name,start,price,end",
    )
    assert [(p.line, p.field, p.code) for p in outcome.problems] == [
        (2, "subscription.end", "subscription.end_before_start")
    ]
    assert Subscription.objects.get().ends_on is None


def test_an_unknown_currency_is_refused(company):
    outcome = take(company, "1,Ann,2026-01-01,5", mapping=MAPPING.replace('"USD"', '"XAU"'))
    assert {p.code for p in outcome.problems} == {"currency.unknown"}


def test_a_retired_plan_is_refused(company):
    plan = catalog_plans.retire_plan(plan=a_plan(company, code="old", currency="USD"), by=BY, at=AT)
    mapping = MAPPING + '[plan]\ncode = { value = "old" }\n'
    outcome = take(company, "1,Ann,2026-01-01,5", mapping=mapping)
    assert [(p.field, p.code) for p in outcome.problems] == [("plan.code", "import.plan_retired")]
    assert plan.status == "retired"


def test_a_plan_gives_product_price_and_rules(company):
    a_plan(company, code="gold", amount="30", currency="USD", rules={"interval_unit": "year"})
    mapping = MAPPING.partition("[[items]]")[0] + '[plan]\ncode = { column = "price", values = { "g" = "gold" } }\n'
    outcome = take(company, "1,Ann,2026-01-01,g", "2,Bob,2026-01-01,x", mapping=mapping)
    subscription = Subscription.objects.get()
    assert (subscription.interval_unit, subscription.plan.code) == ("year", "gold")
    assert Slot.objects.get().mrr_minor == 250
    assert [p.code for p in outcome.problems] == ["import.value_unknown"]


def test_two_customers_with_one_external_id_are_refused(company):
    mapping = MAPPING.replace('external_id = "id"\nname', 'external_id = "customer"\nname')
    heading = "id,customer,name,start,price"
    outcome = take(
        company,
        "1,C1,Ann,2026-01-01,5",
        "2,C1,Ann,2026-02-01,6",
        "3,C1,Bob,2026-01-01,7",
        mapping=mapping,
        heading=heading,
    )
    assert (outcome.done, outcome.customers) == (2, 1)
    [problem] = outcome.problems
    assert (problem.line, problem.field, problem.code) == (4, "customer.external_id", "import.customer_differs")
    assert "Line 2" in problem.message


def test_one_subscription_stands_on_one_line(company):
    outcome = take(company, "1,Ann,2026-01-01,5", "1,Ann,2026-01-01,5")
    assert (outcome.done, [(p.line, p.code) for p in outcome.problems]) == (1, [(3, "import.subscription_twice")])


def test_a_customer_who_is_there_is_met_not_made_again(company):
    ann = a_customer(company, name="Ann", external_id="1")
    outcome = take(company, "1,Ann,2026-01-01,5")
    assert (outcome.done, outcome.customers, Customer.objects.count()) == (1, 0, 1)
    assert Subscription.objects.get().customer == ann


def test_another_name_under_a_known_id_is_refused(company):
    a_customer(company, name="Somebody else", external_id="1")
    outcome = take(company, "1,Ann,2026-01-01,5", "2,Bob,2026-01-01,5")
    assert outcome.done == 1
    assert [(p.line, p.code) for p in outcome.problems] == [(2, "import.customer_other")]


@pytest.mark.parametrize("name", ["=cmd|' /C calc'!A1", "a\tb\\N\\.", "+1", "O'Brien; --", "Zoë 🎉", "\\x00"])
def test_a_name_is_kept_exactly(company, name):
    buffer = io.StringIO()
    csv.writer(buffer).writerows([["id", "name", "start", "price"], ["1", name, "2026-01-01", "5"]])
    take(company, content=buffer.getvalue().encode())
    assert Customer.objects.get().name == name


def test_a_nul_is_refused_on_its_line(company):
    outcome = take(company, "1,A\0B,2026-01-01,5", "2,Bob,2026-01-01,5")
    assert outcome.done == 1
    assert [(p.line, p.field, p.value, p.code) for p in outcome.problems] == [(2, "customer.name", "A\\0B", "text.nul")]


def test_a_nul_in_metadata_is_refused_on_its_line(company):
    mapping = MAPPING + '[subscription.metadata]\nnote = "note"\n'
    outcome = take(company, "1,Ann,2026-01-01,5,x\0y", mapping=mapping, heading="id,name,start,price,note")
    assert [(p.field, p.code) for p in outcome.problems] == [("subscription.metadata.note", "text.nul")]


def test_positions_may_depend_on_the_line(company):
    mapping = (
        MAPPING
        + '\n[[items]]\nproduct = { value = "net" }\nprice = { value = "2" }\nquantity = "tv"\n'
        + ('only_if = { column = "tv", is = ["1", "2"] }\n')
    )
    take(company, "1,Ann,2026-01-01,5,0", "2,Bob,2026-01-01,5,2", mapping=mapping, heading="id,name,start,price,tv")
    assert Slot.objects.filter(subscription__external_id="1").count() == 1
    assert sorted(Slot.objects.filter(subscription__external_id="2").values_list("mrr_minor", flat=True)) == [400, 500]


def test_contact_address_and_dates_paid_ahead(company):
    mapping = (
        MAPPING.replace('currency = { value = "USD" }', 'currency = { value = "USD" }\nemail = "mail"').replace(
            'start = "start"', 'start = "start"\nbilled_through = "paid"'
        )
        + '[customer.contact]\nname = "name"\nemail = "mail"\n'
        + '[customer.address]\ncountry = "land"\nlines = ["street"]\n'
    )
    heading = "id,name,start,price,mail,street,land,paid"
    take(company, "1,Ann,2026-01-15,5,ann@example.com,Main St 1,US,2026-11-14", mapping=mapping, heading=heading)
    assert Contact.objects.get().email == "ann@example.com"
    assert Address.objects.get().lines == ["Main St 1"]
    assert Subscription.objects.get().next_bill_on == date(2026, 11, 15)


def test_an_import_is_taken_back_while_nothing_was_billed(company):
    source = telco(company, with_history=True).source
    importing.undo(source=source, by=BY, at=AT)
    source.refresh_from_db()
    assert (source.state, source.undone_at) == ("undone", AT)
    assert set(Subscription.objects.values_list("state", "next_bill_on", "external_id")) == {("canceled", None, "")}
    assert Customer.objects.filter(archived_at__isnull=True).count() == 0
    totals: dict = {}
    for kind, day, minor in Movement.objects.values_list("kind", "booked_on", "amount_minor"):
        totals[kind, day] = totals.get((kind, day), 0) + minor
    assert set(totals.values()) == {0}


def test_taking_back_twice_is_quiet_and_the_list_can_come_again(company):
    source = telco(company).source
    importing.undo(source=source, by=BY, at=AT)
    importing.undo(source=source, by=BY, at=AT)
    assert Event.objects.filter(type="import.undone").count() == 1
    again = telco(company)
    assert (again.done, again.known, again.failed) == (4, 0, 0)


def test_an_import_that_is_taken_back_while_it_runs_stops(company, monkeypatch):
    monkeypatch.setattr("subscriptions.services.importing.writing.CHUNK", 2)

    def told(done, total):
        if done == 2:
            importing.undo(source=Import.objects.get(), by=BY, at=AT)

    with pytest.raises(Refused, match=r"import\.undone"):
        take(company, *(f"{n},N{n},2026-01-01,5" for n in range(1, 6)), told=told)
    assert (Import.objects.get().state, Subscription.objects.count()) == ("undone", 2)
    assert Customer.objects.filter(archived_at__isnull=True).count() == 0


def test_a_billed_import_stays(company):
    source = telco(company, with_history=True).source
    slot = Slot.objects.get(subscription__external_id="7590-VHVEG")
    slot.billed_through_on = date(2026, 10, 31)
    slot.save(update_fields=["billed_through_on"])
    with pytest.raises(Refused) as refused:
        importing.undo(source=source, by=BY, at=AT)
    assert (refused.value.code, refused.value.params) == ("import.billed", {"count": 1})
    assert Customer.objects.filter(archived_at__isnull=True).count() == 4


def test_a_customer_with_another_subscription_stays_when_an_import_is_taken_back(company):
    source = take(company, "1,Ann,2026-01-01,5").source
    mapping = MAPPING.replace('external_id = "id"\nname', 'external_id = { value = "1" }\nname')
    take(company, "2,Ann,2026-01-01,5", mapping=mapping)
    importing.undo(source=source, by=BY, at=AT)
    ann = Customer.objects.get()
    assert (ann.archived_at, ann.external_id) == (None, "1")


def test_many_lines_cross_chunks_and_a_bad_write_stops_nobody(company, monkeypatch):
    monkeypatch.setattr("subscriptions.services.importing.writing.CHUNK", 3)
    a_customer(company, name="Other", external_id="5")
    told = []
    lines = [f"{n},Name {n},2026-01-01,5" for n in range(1, 9)]
    outcome = take(company, *lines, told=lambda done, total: told.append((done, total)))
    assert (outcome.done, outcome.failed, told) == (7, 1, [(3, 8), (6, 8), (8, 8)])
    assert [p.line for p in outcome.problems] == [6]
    assert ImportLine.objects.count() == 8


def test_a_job_goes_on_with_the_import_it_began(company, monkeypatch):
    monkeypatch.setattr("subscriptions.services.importing.writing.CHUNK", 2)
    content = "\n".join(["id,name,start,price", *(f"{n},N{n},2026-01-01,5" for n in range(1, 6))]).encode()
    stored = files.store(company_id=company.pk, name="list.csv", media_type="text/csv", content=content)
    params = {"file": stored.pk, "mapping": importing.from_toml(MAPPING), "on": "2026-11-01", "dry_run": False}
    job = Job.objects.create(company=company, kind="import_subscriptions", params=params)
    real = customers.create_many
    calls = []

    def stops(**keywords):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(**keywords)

    monkeypatch.setattr("subscriptions.services.importing.writing.customers.create_many", stops)
    with pytest.raises(KeyboardInterrupt):
        jobs.work(job.pk)
    assert Subscription.objects.count() == 2
    Job.objects.update(state="waiting")
    done = jobs.work(job.pk)
    assert (done.state, done.result["done"], done.result["import"]) == ("done", 5, Import.objects.get().ref)
    assert Subscription.objects.count() == 5


def test_a_job_reports_a_dry_run(company):
    stored = files.store(
        company_id=company.pk, name="list.csv", media_type="text/csv", content=b"id,name,start,price\n1,A,x,5\n"
    )
    params = {"file": stored.pk, "mapping": importing.from_toml(MAPPING), "on": ON.isoformat(), "dry_run": True}
    job = jobs.work(Job.objects.create(company=company, kind="import_subscriptions", params=params).pk)
    assert (job.state, job.result["failed"], job.result["problems"][0]["code"]) == ("done", 1, "import.date_form")
    assert Import.objects.count() == 0


def test_a_job_is_started_with_its_file_and_refused_before_there_is_one(company):
    start = {
        "company": company,
        "file_name": "list.csv",
        "mapping": importing.from_toml(MAPPING),
        "on": ON,
        "dry_run": False,
        "user": None,
    }
    job = importing.start(content=b"id,name,start,price\n1,Ann,2026-01-01,5\n", **start)
    assert jobs.work(job.pk).result["done"] == 1
    with pytest.raises(Refused, match=r"import\.column_missing"):
        importing.start(content=b"id,name\n1,Ann\n", **start)
    assert Job.objects.count() == 1
