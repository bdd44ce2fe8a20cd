"""Every address of the back office: opens for who may, stays shut for who may not, and knows one company only."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse

from backoffice.urls import urlpatterns
from tests.backoffice.conftest import TODAY, Office
from tests.factories import BY, a_company, a_customer, a_plan
from tests.subscriptions.metering import a_meter

POSTS_ONLY = {
    "activity-act", "calendar-revoke",
    "lead-move", "lead-comment", "lead-stage-act", "quote-act",
    "switch-company", "clock-advance", "sandbox-advance", "customer-archive", "contact-archive", "contact-invite",
    "note-archive", "customer-export", "customer-apart",
    "product-archive", "meter-archive", "plan-publish", "plan-retire", "plan-item-archive", "draft-delete",
    "refund-cancel", "parked-retry", "run-release", "run-do", "import-do", "import-undo", "logo-set",
    "member-remove", "key-revoke", "outbox-replay", "customer-check-vat-id", "taxes-update", "drafts-approve",
} | {"discount-archive", "offer-code-archive", "campaign-archive", "sandbox-advance"} | {
    "gateway-switch", "gateway-test", "gateway-event-replay", "payments-bulk", "attempt-look-up", "attempt-cancel",
    "attempt-confirm", "attempt-drop", "method-default", "method-remove", "invoice-send-link", "customer-method-link",
    "recovery-bulk", "case-act", "dunning-policy-off", "bank-line-confirm", "bank-line-choose", "debits-make",
    "refunds-file", "chart-choose", "debit-sent", "debit-credited", "debit-cancel",
    "payout-take-out", "tie-test", "tie-run", "tie-switch", "tie-retry", "tie-archive", "tie-link",
    "tie-unlink",
} | {
    "outbox-replay-all", "outbox-cancel", "webhook-test", "webhook-switch", "webhook-delivery-resend",
    "tasks-bulk", "task-comment", "task-act", "alerts-note", "tick-run", "message-resend", "blocked-address-lift",
    "reminder-rule-switch", "reminder-take-back", "offer-archive",
    "segment-archive", "mailing-schedule", "mailing-act", "mailing-test", "report-view-remove", "report-note-remove",
    "report-job", "bulk-act-do",
}  # fmt: skip
#: What a page can't do without.
QUESTIONS = {"report-rows": "?first=2026-03-01&last=2026-03-31"}
#: Rows that belong to somebody: who else works here doesn't find them.
OWN = {"report-view-edit"}
#: Files: their pages are no pages.
FILES = {"quote-pdf", "activity-file", "logo", "attempt-proof", "debit-download", "payout-file", "job-file"} | {
    "tie-table", "tie-result",
}  # fmt: skip
#: Pages that ask for the right to do with one what is to be done with many.
NEEDS_MORE = {"segment-act-prepare": "task.write"}
#: Old addresses that go on to another page.
MOVED = {"revenue"}
ROLES = ("admin", "accounting", "sales", "support", "viewer")


def rows_of(office: Office) -> dict[str, Any]:
    """One row of every kind, by the name of its page."""
    from billing.models import BillingRun, Credit, CreditNote, Invoice
    from billing.services import acts, crediting, drafting, granting, payments
    from catalog.models import PlanItem, TaxRate
    from core.models import Job, Membership
    from core.services import files, jobs
    from core.services.keys import issue_key
    from customers.models import Message
    from customers.services import contacts, messages, notes
    from subscriptions.models import Import

    company, customer, at = office.company, office.customer, office.at
    common = {"by": BY, "at": at}
    subscription = office.start()
    invoice = Invoice.objects.filter(company=company).latest("pk")
    note = crediting.credit_invoice(invoice=invoice, gross_minor=1000, reason="Late", **common)
    payment = payments.record(
        company=company, customer=customer, amount_minor=90000, currency="EUR", method="transfer", received_on=TODAY,
        **common,
    )  # fmt: skip
    assert Credit.objects.filter(customer=customer).exists()
    refund = payments.refund_credit(customer=customer, currency="EUR", amount_minor=100, reason="Asked", **common)
    product = PlanItem.objects.get(plan=office.plan).product
    line = drafting.DraftLine(description="Set-up", unit_amount=office.plan.items.get().prices.get().unit_amount,
                              product=product)  # fmt: skip
    draft = drafting.create_draft(company=company, customer=customer, currency="EUR", lines=[line], **common)
    unknown = payments.record(
        company=company, customer=None, amount_minor=500, currency="EUR", method="transfer", received_on=TODAY, **common
    )
    contact = contacts.add_contact(customer=customer, name="Ada", email="ada@windkraft.example", **common)
    mail = messages.write(
        company=company, customer=customer, template="portal_invitation", language="en", subject="Hello", body="Hi",
        recipients=["ada@windkraft.example"], at=at,
    )  # fmt: skip
    key, _text = issue_key(company=company, name="Shop", scopes=["invoices:read"], **common)
    stored = files.store(company_id=company.pk, name="a.csv", media_type="text/csv", content=b"a;b")
    job = jobs.start(
        company_id=company.pk, name="billing_run", user=None,
        params={"on": TODAY.isoformat(), "notify_since": None, "dry_run": True},
    )  # fmt: skip
    second = acts.start(company=company, customer=customer, plan=office.plan, start_on=TODAY, on=TODAY, **common)
    acts.cancel(subscription=second.subscription, timing="period_end", **common)
    run = BillingRun.objects.create(
        company=company, on=TODAY, notify_since=TODAY, forecast_lines=0, due_count=0, actor_label="test", started_at=at
    )
    imported = Import.objects.create(
        company=company, file_name="a.csv", file_sha256="0" * 64, file=stored, mapping={}, on=TODAY, state="done"
    )
    member = Membership.objects.select_related("role").get(company=company, user=office.user())
    assert isinstance(note, CreditNote)
    assert isinstance(mail, Message)
    assert isinstance(job, Job)
    return {
        "customer": customer, "contact": contact, "note": notes.add_note(customer=customer, text="Call", **common),
        "message": mail, "suppression": a_blocked_address(company, at),
        "meter": a_meter(company), "product": product, "plan": office.plan,
        "plan-item": office.plan.items.get(), "price": office.plan.items.get().prices.get(),
        "subscription": subscription, "ended": second.subscription, "invoice": invoice, "draft": draft,
        "credit-note": note, "payment": payment, "unknown": unknown, "refund": refund, "run": run, "job": job,
        "import": imported, "key": key, "member": member, "role": member.role,
        "credit": granting.grant(customer=customer, amount_minor=500, currency="EUR", reason="Goodwill", **common),
        "tax-rate": TaxRate.objects.filter(company=company, country="DE", level="standard").latest("valid_from"),
    } | sold(office) | discounts_of(office, subscription) | {
        "one-off": one_off(office, subscription), "change": planned_change(office, subscription),
    } | money_of(office, invoice) | to_do(office) | webhooks_of(office) | reminded(office, subscription) | watched(
        office
    )  # fmt: skip


def watched(office: Office) -> dict[str, Any]:
    """A saved report and a note on a day, of somebody who may see reports."""
    from reporting import watching

    user, common = office.user(), {"company": office.company, "by": BY, "at": office.at}
    view = watching.save(
        report="mrr", name="Mine", query={}, is_shared=True, is_on_wall=False, every="", readers=[], owner=user,
        **common,
    )  # fmt: skip
    return {"view": view, "annotation": watching.annotate(on=TODAY, text="Prices rose", user=user, **common)}


def reminded(office: Office, subscription: Any) -> dict[str, Any]:
    """A rule with its offer, and the reminder that made it."""
    from catalog.models import Discount
    from crm.models import Reminder
    from crm.services import offers, reminder_rules

    common: dict[str, Any] = {"company": office.company, "by": BY, "at": office.at}
    offer = offers.save(name="Stay", discount=Discount.objects.filter(company=office.company).latest("pk"), **common)
    rule = reminder_rules.save(
        name="Stay", occasion="before_renewal", days=30, category="marketing", offer=offer, **common
    )
    reminder = Reminder.objects.create(
        company=office.company, rule=rule, customer=subscription.customer, subscription=subscription,
        subject_id=subscription.pk, occasion_on=TODAY, offer=offer, offer_until_on=TODAY, sent_at=office.at,
    )  # fmt: skip
    return {"offer": offer, "reminder-rule": rule, "reminder": reminder} | mailed(office, subscription, offer)


def mailed(office: Office, subscription: Any, offer: Any) -> dict[str, Any]:
    """A mailing with that offer to a segment, and one that got it."""
    from catalog.models import Campaign
    from crm.models import MailingRecipient
    from crm.services import bulk_acts, mailings, segments

    common: dict[str, Any] = {"company": office.company, "by": BY, "at": office.at}
    segment = segments.save(name="All", rules={"match": "all", "conditions": [], "groups": []}, **common)
    mailing = mailings.save(
        name="Stay", segment=segment, campaign=Campaign.objects.filter(company=office.company).latest("pk"),
        subject={"en": "x"}, body={"en": "{link}"}, offer=offer, **common,
    )  # fmt: skip
    MailingRecipient.objects.create(
        company=office.company, mailing=mailing, customer=subscription.customer, subscription=subscription
    )
    act = bulk_acts.prepare(
        segment=segment, kind="note", params={"text": "Call"}, language="en", user=None, on=TODAY, by=BY, at=office.at
    )
    return {"segment": segment, "mailing": mailing, "bulk-act": act}


def sold(office: Office) -> dict[str, Any]:
    """A lead with its stage, and a quote to it that was sent."""
    from crm.services import leads, quote_sending, quotes

    common: dict[str, Any] = {"by": BY, "at": office.at}
    lead = leads.create(company=office.company, name="Ada", email="ada@windkraft.example", country="DE", **common)
    quote, draft = (quotes.create(company=office.company, plan=office.plan, lead=lead, **common) for _ in range(2))
    return {
        "lead": lead, "lead-stage": lead.stage, "quote-draft": draft,
        "quote": quote_sending.send(quote=quote, **common),
    }  # fmt: skip


def webhooks_of(office: Office) -> dict[str, Any]:
    """An endpoint and a test that waits to be sent."""
    from core.services import webhook_endpoints

    endpoint, _secret = webhook_endpoints.create(
        company=office.company, url="https://erp.example.com/in", types=["*"], by=BY, at=office.at,
        resolve=lambda host, port: ["93.184.215.14"],
    )  # fmt: skip
    return {
        "webhook": endpoint, "webhook-delivery": webhook_endpoints.test(endpoint=endpoint, by=BY, at=office.at),
    }  # fmt: skip


def to_do(office: Office) -> dict[str, Any]:
    """A task and a rule of alerts."""
    from crm.services import alert_rules, tasks

    task = tasks.create(
        company=office.company, title="Call", due_on=TODAY, customer=office.customer, by=BY, at=office.at
    )
    rule = alert_rules.of_company(office.company)["parked"]
    return talked(office) | {"task": task, "alert-rule": rule, **tied(office)}


def tied(office: Office) -> dict[str, Any]:
    """A tie that refused a customer and heard of another, and one by files that was given one."""
    from crm.models import TieChange, TieRecord, TieRun
    from crm.services import tie_accounts, tie_files

    common: dict[str, Any] = {"company": office.company, "by": BY, "at": office.at}
    tie = tie_accounts.save(kind="brevo", name="News", secret="xkeysib-1", audience="7", **common)
    TieRecord.objects.create(
        company=office.company, tie=tie, kind="person", key="a@example.com", customer=office.customer, state="failed"
    )
    own: dict[str, Any] = {"company": office.company, "tie": tie}
    TieRun.objects.create(**own, began_at=office.at, ended_at=office.at, taken=1, error="away")
    TieChange.objects.create(**own, at=office.at, key="a@example.com", customer=office.customer, what="name",
                             ours="Ada", theirs="Ida", outcome="ours")  # fmt: skip
    files = tie_accounts.save(kind="csv", name="Files", **common)
    given = tie_files.give_in(tie=files, name="x.csv", content=b"email\na@b.example\n", by=BY, at=office.at)
    return {"tie": tie, "csv-tie": files, "tie-file": given}


def talked(office: Office) -> dict[str, Any]:
    """A mail that came in, with its attachment."""
    from crm.services import activity_mails
    from tests.crm.talking import a_mail

    mail = a_mail(attached={"offer.txt": b"x"})
    common: dict[str, Any] = {"by": BY, "at": office.at}
    kept, _new = activity_mails.keep(company=office.company, raw=mail, customer=office.customer, **common)
    return {"activity": kept}


def a_blocked_address(company: Any, at: Any) -> Any:
    from customers.services import suppressing

    return suppressing.suppress(company=company, address="gone@example.com", reason="manual", by=BY, at=at)


def money_of(office: Office, invoice: Any) -> dict[str, Any]:
    """A gateway with a message, a method, a try of which nobody knows the end, a case with a claim."""
    from billing.models import Account, BankLine
    from billing.services import payouts
    from core.services import files
    from tests.backoffice.money import a_batch, a_case, a_claim, a_message, a_method, a_statement, a_try, an_account

    gateway = an_account(office)
    method = a_method(office, gateway)
    case = a_case(office)
    return {
        "gateway": gateway, "gateway-message": a_message(gateway), "payment-method": method,
        "attempt": a_try(office, invoice, method), "recovery": case, "claim": a_claim(case, invoice),
        "policy": case.policy, "bank-statement": a_statement(office),
        "bank-line": BankLine.objects.get(company=office.company), "debit-file": a_batch(office, gateway),
        "account": Account.objects.filter(company=office.company).first(), "payout-file": files.store(
            company_id=office.company.pk, name=f"PAY{'A' * 29}.xml", media_type=payouts.MEDIA_TYPE, content=b"<x/>"
        ),
    }  # fmt: skip


def one_off(office: Office, subscription: Any) -> Any:
    """One that waits for its day."""
    from datetime import timedelta
    from decimal import Decimal

    from subscriptions.services import one_offs

    product = office.plan.items.get().product
    return one_offs.add(
        subscription=subscription, product=product, unit_amount=Decimal(5), service_on=TODAY + timedelta(days=5),
        on=TODAY, by=BY, at=office.at,
    )  # fmt: skip


def planned_change(office: Office, subscription: Any) -> Any:
    """One that waits for the end of the period."""
    from decimal import Decimal

    from billing.services import acts_changing
    from subscriptions.services.change_specs import ItemChange

    more = ItemChange(slot=subscription.slots.get(), quantity=Decimal(2))
    return acts_changing.change(
        subscription=subscription, items=[more], timing="period_end", by=BY, at=office.at
    ).change


def discounts_of(office: Office, subscription: Any) -> dict[str, Any]:
    """A campaign, its discount with a code, another given to the subscription."""
    from decimal import Decimal

    from catalog.services import discounts
    from subscriptions.services import discounting

    common: dict[str, Any] = {"by": BY, "at": office.at}
    company = office.company
    made = discounts.create_campaign(company=company, code="spring", name="Spring", **common)
    words: dict[str, Any] = {"name": {company.language: "Spring"}, "percent": Decimal(10), "campaign": made}
    discount = discounts.create_discount(company=company, code="tenth", **words, **common)
    other = discounts.create_discount(company=company, code="other", **words, **common)
    given = discounting.give(subscription=subscription, discount=other, on=TODAY, **common)
    code = discounts.create_code(discount=discount, code="SPRING", **common)
    return {"campaign": made, "discount": discount, "offer-code": code, "agreed-discount": given}


def argument(name: str, route: str, rows: dict[str, Any]) -> list[Any]:
    """What fills the one open place of an address."""
    if route.startswith("ledger/accounts"):
        return [rows["account"].pk]
    if "gateway-messages" in route and "<int:pk>" in route:
        return [rows["gateway-message"].pk]
    if "<int:pk>" in route:
        return [rows["member" if "people" in route else "role"].pk]
    if route.startswith("reports/<slug"):
        return ["mrr"]
    if route.startswith("reports/rows"):
        return ["movements"]
    if "<slug:kind>" in route and route.startswith("segments"):
        return [rows["segment"].ref, "task"]
    if "<str:name>" in route and route.startswith("settings/timetable"):
        return ["core.upkeep"]
    if route.startswith("settings/mails/<"):
        return ["pay_link", "en"]
    if "<str:ref>" not in route:
        return []
    if name in ("credit-refund",):
        return [rows["customer"].ref]
    if name.startswith("draft"):
        return [rows["draft"].ref]
    if name == "payment-allocate":
        return [rows["unknown"].ref]
    if name == "activity-file":
        return [rows["activity"].ref, 1]
    kind = route.partition("/")[0].removesuffix("s").replace("activitie", "activity")
    if route.startswith("leads/stages"):
        kind = "lead-stage"
    if name in ("quote-edit", "quote-send"):
        kind = "quote-draft"
    if route.startswith("messages/blocked"):
        kind = "suppression"
    if route.startswith("debit-files/refunds/"):
        kind = "payout-file"
    if route.startswith("reminders/rules"):
        kind = "reminder-rule"
    if route.startswith("reports/"):
        kind = "view" if "views" in route else "annotation"
    if route.startswith("settings/keys"):
        kind = "key"
    if route.startswith("settings/webhook"):
        kind = "webhook-delivery" if "deliveries" in route else "webhook"
    if route.startswith("settings/taxes"):
        kind = "tax-rate"
    if name in ("tie-table", "tie-result"):
        return [rows["csv-tie"].ref, "contacts" if name == "tie-table" else rows["tie-file"].ref]
    if route.startswith("settings/ties"):
        kind = "csv-tie" if name in ("tie-give", "tie-link", "tie-unlink") else "tie"
    if route.startswith("settings/gateways"):
        kind = "gateway"
    if route.startswith("settings/dunning"):
        kind = "policy"
    if route.startswith("settings/alert-rules"):
        kind = "alert-rule"
    return [rows[kind].ref]


def addresses(rows: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Name, right and address of every page."""
    found = []
    for pattern in urlpatterns:
        name, route = str(pattern.name), str(pattern.pattern)
        url = reverse(f"backoffice:{name}", args=argument(name, route, rows)) + QUESTIONS.get(name, "")
        found.append((name, pattern.callback.right, url))  # type: ignore[union-attr]
    return found


def test_every_view_is_guarded_by_a_right() -> None:
    assert [p.name for p in urlpatterns if not getattr(p.callback, "right", "")] == []  # type: ignore[union-attr]


def test_every_page_opens_for_an_administrator(office: Office) -> None:
    client, rows = office.client(), rows_of(office)
    answers = {}
    for name, _right, url in addresses(rows):
        if name not in POSTS_ONLY and name not in FILES | MOVED:
            answers[name] = client.get(url).status_code
    assert {name: code for name, code in answers.items() if code != 200} == {}


LISTS = ("customers", "meters", "products", "plans", "subscriptions", "invoices", "credit-notes", "payments", "runs",
         "jobs", "discounts", "campaigns", "imports", "taxes", "audit", "outbox", "parked", "recovery",
         "gateway-events", "bank", "debits", "journal", "tasks", "alerts", "activities",
         "bulk-acts", "messages", "blocked-addresses", "reminders-sent")  # fmt: skip
QUERIES = (
    "?sort=-nonsense", "?after=rubbish", "?before=W10", "?after=WyJ4IiwxXQ", "?q=%00", "?q=x%27%22%25_", "?kind=",
    "?state=nonsense", "?state=paid", "?state=draft", "?view=unallocated", "?view=refunds", "?country=XX",
    "?issued_from=31-02", "?tab=nonsense", "?format=csv", "?view=list", "?view=closed", "?view=statements", "?view=all",
    "?view=accounts",
    "?view=received",
    "?after=2026-03-15.1.5", "?before=2026-03-15.1.5", "?state=late&way=card&currency=EUR&on_from=2026-01-01",
)  # fmt: skip


@pytest.mark.parametrize("query", QUERIES)
def test_a_list_bears_any_query(office: Office, query: str) -> None:
    rows_of(office)
    client = office.client()
    answers = {name: client.get(reverse(f"backoffice:{name}") + query).status_code for name in LISTS}
    assert {name: code for name, code in answers.items() if code != 200} == {}


def test_every_tab_of_a_customer_opens(office: Office) -> None:
    rows, client = rows_of(office), office.client()
    url = reverse("backoffice:customer", args=[rows["customer"].ref])
    for tab in ("", "subscriptions", "invoices", "payments", "timeline", "notes", "contacts"):
        assert client.get(f"{url}?tab={tab}").status_code == 200, tab


@pytest.mark.parametrize("role", ROLES)
def test_a_page_opens_only_with_its_right(office: Office, role: str) -> None:
    from core.rights import ROLES as RIGHTS_OF

    rows, client, rights = rows_of(office), office.client(role), RIGHTS_OF[role][1]
    wrong = []
    for name, right, url in addresses(rows):
        if name in FILES:
            continue
        code = client.get(url).status_code
        found = 404 if name in OWN and role != "admin" else 405 if name in POSTS_ONLY else 301 if name in MOVED else 200
        expected = 403 if right not in rights else found
        if right in rights and NEEDS_MORE.get(name, right) not in rights:
            expected = 403
        if code != expected:
            wrong.append((name, code, expected))
    assert wrong == []


@pytest.mark.parametrize("role", ROLES)
def test_an_act_is_refused_without_its_right(office: Office, role: str) -> None:
    from core.rights import ROLES as RIGHTS_OF

    rows, client, rights = rows_of(office), office.client(role), RIGHTS_OF[role][1]
    for _name, right, url in addresses(rows):
        if right not in rights:
            assert client.post(url).status_code == 403, url


def test_a_row_of_another_company_is_not_found(office: Office) -> None:
    other = a_company(today=TODAY)
    stranger = Office(other, a_plan(other), a_customer(other))
    rows, client, wrong = rows_of(office), stranger.client(), []
    for name, _right, url in addresses(rows):
        if name in ("mail-text", "mail-text-looks"):
            continue  # Their addresses name no row; every company words its own mails.
        if name in ("report", "report-save", "report-goal", "report-rows", "report-job"):
            continue  # Their addresses name no row; every company has every report.
        if name == "tick-run":
            continue  # Its address names no row; it runs for the company worked in.
        if name == "tax-rate":
            continue  # Its address names what it is for; the other company has a rate of its own for that.
        if argument(name, next(str(p.pattern) for p in urlpatterns if p.name == name), rows):
            asked, posted = client.get(url).status_code, client.post(url).status_code
            is_hidden = posted in ((404, 405) if name in FILES else (404,)) or name == "switch-company"
            if asked not in (404, 405) or not is_hidden:
                wrong.append((name, asked, posted))
    assert wrong == []


def test_a_row_of_another_company_is_not_found_in_a_parameter(office: Office) -> None:
    other = a_company(today=TODAY)
    stranger = Office(other, a_plan(other), a_customer(other))
    rows, client = rows_of(office), stranger.client()
    own = stranger.customer.ref
    for url in (
        f"{reverse('backoffice:subscription-start')}?customer={rows['customer'].ref}",
        f"{reverse('backoffice:subscription-start')}?customer={own}&plan={rows['plan'].ref}",
        f"{reverse('backoffice:draft-create')}?customer={rows['customer'].ref}",
        f"{reverse('backoffice:payment-record')}?customer={rows['customer'].ref}",
        f"{reverse('backoffice:payment-record')}?invoice={rows['invoice'].ref}",
    ):
        assert client.get(url).status_code == 404, url


def test_a_stranger_is_sent_to_the_sign_in_page(office: Office) -> None:
    from django.test import Client

    rows = rows_of(office)
    for _name, _right, url in addresses(rows):
        answer = Client().get(url)
        assert answer.status_code == 302, url
        assert answer["Location"].startswith("/accounts/login/"), url
