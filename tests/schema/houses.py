"""Two companies with a row in every table that a key or a freeze guards, made by the verbs."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from tests.factories import BY, a_customer, a_product, at_noon, set_clock
from tests.schema.sales import sell

JANUARY, FEBRUARY = date(2026, 1, 1), date(2026, 2, 1)


def a_full_company() -> Any:
    """As `build_house` leaves it, with usage, credit of all sources, checks of VAT ids, roles and lists besides."""
    from tests.house.test_every_door import build_house

    house = build_house()
    company = house.one
    _metered(company)
    _credits(company)
    _lists(company)
    _people(company)
    _money_in(company)
    _to_do(company)
    _said(company)
    sell(company)
    return company


def _metered(company: Any) -> None:
    """A month of usage, billed with a discount that is used and granted credit that lowers it."""
    from billing.services import granting
    from catalog.services.discounts import create_campaign, create_code, create_discount
    from subscriptions.services import first_touch, usage_thresholds
    from subscriptions.services.agreeing import ItemSpec
    from tests.billing.test_settling import bill
    from tests.subscriptions.metering import a_meter, a_usage_item, a_user, sent, take_in

    at = at_noon(JANUARY)
    meter = a_meter(company)
    product = a_product(company)
    discount = create_discount(
        company=company, code="ten", name={"en": "Ten"}, percent=Decimal(10), scope="product", product=product, by=BY,
        at=at,
    )  # fmt: skip
    create_code(discount=discount, code="TEN", by=BY, at=at)
    customer = a_customer(company)
    granting.grant(customer=customer, amount_minor=100, currency="EUR", reason="sorry", by=BY, at=at)
    campaign = create_campaign(company=company, code="spring", name="Spring", by=BY, at=at)
    first_touch.note(company=company, customer=customer, campaign=campaign, source="fair", at=at)
    item = ItemSpec(product, unit_amount=Decimal(20))
    subscription = a_user(company, item, a_usage_item(meter), customer=customer, discounts=[discount])
    set_clock(company, date(2026, 1, 20))
    take_in(company, sent(meter, subscription, "2026-01-10T12:00:00Z", 50))
    slot = subscription.slots.get(kind="usage")
    usage_thresholds.set_thresholds(slot=slot, thresholds=[(Decimal(10), None)], by=BY, at=at)
    bill(company, FEBRUARY)
    # An event that comes in long after its month was closed is listed, not counted.
    set_clock(company, date(2026, 7, 1))
    assert take_in(company, sent(meter, subscription, "2026-01-11T12:00:00Z")).refused
    set_clock(company, FEBRUARY)


def _credits(company: Any) -> None:
    """A pack that was sold, and an invoice that another replaces."""
    from billing.models import Invoice
    from billing.services import replacing, selling
    from catalog.models import TaxCategory

    at = set_clock(company, FEBRUARY)
    category = TaxCategory.objects.get(company=company, code="standard-electronic")
    selling.sell_credit_pack(
        customer=a_customer(company), amount_minor=1000, currency="EUR", tax_category=category, by=BY, at=at
    )
    last = Invoice.objects.filter(company=company, sequence__isnull=False).order_by("pk").last()
    replacing.replace(invoice=last, reason="name", by=BY, at=at)


def _lists(company: Any) -> None:
    from core.services.files import store
    from subscriptions.models import Import, ImportLine

    source = Import.objects.filter(company=company).order_by("pk").first()
    ImportLine.objects.create(company=company, source=source, number=1, state="failed")
    store(company_id=company.pk, name="a.pdf", media_type="application/pdf", content=b"one")


def _people(company: Any) -> None:
    from core.models import Role
    from core.services.people import add_member
    from customers.models import Customer
    from customers.services.vat_ids import keep

    at = at_noon(JANUARY)
    customer = Customer.objects.filter(company=company).order_by("pk")[0]
    keep(customer=customer, vat_id="DE1", answer=None, at=at)
    role = Role.objects.filter(company=company).order_by("pk")[0]
    add_member(company=company, email="a@example.com", name="A", role=role, by=BY, at=at)


def _money_in(company: Any) -> None:
    """A row of everything that takes money, asks for it or gives it back."""
    from billing.models import (
        Attempt,
        BankLine,
        BankStatement,
        Claim,
        DebitBatch,
        DunningCase,
        DunningEntry,
        DunningPolicy,
        Gateway,
        GatewayEvent,
        Invoice,
        Mandate,
        Payment,
        PaymentDay,
        PaymentMethod,
        Refund,
        Reversal,
        SubscriptionMethod,
    )
    from core.services.files import store
    from subscriptions.models import Subscription

    at = at_noon(FEBRUARY)
    invoice = Invoice.objects.filter(company=company, sequence__isnull=False).order_by("pk")[0]
    own: dict[str, Any] = {"company": company}
    hers = own | {"customer": invoice.customer}
    money = {"currency": "EUR", "amount_minor": 100}
    file = store(company_id=company.pk, name="debits.xml", media_type="application/xml", content=b"<a/>")
    gateway = Gateway.objects.create(**own, kind="stripe", name="Stripe", is_active=False, created_at=at)
    method = PaymentMethod.objects.create(**hers, gateway=gateway, kind="card", status="active", label="Visa",
                                          created_at=at)  # fmt: skip
    signed = {"creditor_id": "DE98ZZZ09999999999", "holder": "A", "iban": "DE89370400440532013000",
              "iban_fingerprint": "a", "signed_on": JANUARY, "signed_by": "A", "text": "-"}  # fmt: skip
    first = Mandate.objects.create(**own, method=method, reference="M1", ended_on=FEBRUARY, **signed)
    Mandate.objects.create(**own, method=method, reference="M1", amends=first, **signed)
    subscription = Subscription.objects.filter(company=company).order_by("pk")[0]
    SubscriptionMethod.objects.create(**own, subscription=subscription, method=method)
    batch = DebitBatch.objects.create(**own, gateway=gateway, message_id="B1", collection_on=FEBRUARY, scheme="CORE",
                                      sequence="RCUR", count=1, total_minor=100, file=file, created_at=at)  # fmt: skip
    attempt = Attempt.objects.create(
        **hers, invoice=invoice, gateway=gateway, method=method, origin="due", key=f"k1-{company.pk}", batch=batch,
        state="settled", closed_at=at, created_at=at, **money,
    )  # fmt: skip
    payment = Payment.objects.create(**hers, method="card", received_on=FEBRUARY, gateway=gateway, attempt=attempt,
                                     external_id="pi_1", created_at=at, **money)  # fmt: skip
    PaymentDay.objects.create(**own, received_on=FEBRUARY, method="card", count=1, through_id=payment.pk, **money)
    refund = Refund.objects.create(**hers, status="sent", asked_on=FEBRUARY, payment=payment, gateway=gateway,
                                   key="r1" + str(company.pk), created_at=at, **money)  # fmt: skip
    Reversal.objects.create(**own, payment=payment, gateway=gateway, kind="dispute", external_id="d1",
                            taken_on=FEBRUARY, created_at=at, **money)  # fmt: skip
    GatewayEvent.objects.create(**own, gateway=gateway, external_id="e1", type="a", body=b"{}", source="webhook",
                                received_at=at)  # fmt: skip
    statement = BankStatement.objects.create(**own, file=file, format="csv", imported_by="A", imported_at=at)
    BankLine.objects.create(**hers, statement=statement, fingerprint="f", booked_on=FEBRUARY, invoice=invoice,
                            payment=payment, refund=refund, **money)  # fmt: skip
    policy = DunningPolicy.objects.filter(company=company).order_by("pk")[0]
    case = DunningCase.objects.create(
        **hers, policy=policy, state="paid", currency="EUR", counts_from_on=FEBRUARY, opened_at=at
    )
    DunningEntry.objects.create(**own, case=case, step=policy.steps.all()[0], action="retry", result="done",
                                open_minor=1, attempt=attempt, on=FEBRUARY, at=at)  # fmt: skip
    Claim.objects.create(**hers, case=case, invoice=invoice, kind="fee", claimed_on=FEBRUARY, payment_id=payment.pk,
                         **money)  # fmt: skip


def _to_do(company: Any) -> None:
    """An alert about everything an alert can be about, its task with a remark, and a morning's mail."""
    from billing.models import Invoice
    from core.models import Role, User
    from crm.models import Alert, AlertRule, Digest, Task, TaskComment
    from crm.services import alert_rules
    from customers.models import Message
    from subscriptions.models import Subscription

    at = at_noon(FEBRUARY)
    alert_rules.of_company(company)
    rule = AlertRule.objects.get(company=company, kind="parked")
    role = Role.objects.filter(company=company).order_by("pk")[0]
    invoice = Invoice.objects.filter(company=company, sequence__isnull=False).order_by("pk")[0]
    subscription = Subscription.objects.filter(company=company).order_by("pk")[0]
    about: dict[str, Any] = {
        "company": company, "customer": invoice.customer, "invoice": invoice, "subscription": subscription,
    }  # fmt: skip
    alert = Alert.objects.create(**about, rule=rule, kind="parked", key="2", raised_at=at)
    task = Task.objects.create(**about, alert=alert, team=role, title="Call", due_on=FEBRUARY, created_at=at,
                               created_by="A")  # fmt: skip
    TaskComment.objects.create(company=company, task=task, text="x", by="A", at=at)
    user = User.objects.create_user(f"morning{company.pk}@example.com")
    message = Message.objects.filter(company=company).order_by("pk")[0]
    Digest.objects.create(company=company, user=user, on=FEBRUARY, message=message)
    _watched(company, user, message, at)
    _closed(company, at)


def _closed(company: Any, at: Any) -> None:
    """A closed month with its sums."""
    from catalog.models import Campaign, Plan, Product
    from reporting.models import ClosedCustomers, ClosedMonth, ClosedRevenue

    first = {"company": company, "month": FEBRUARY}
    closed = ClosedMonth.objects.create(**first, closed_at=at, rates={}, touch_id=0)
    plan, product, campaign = (
        model._default_manager.filter(company=company).order_by("pk")[0] for model in (Plan, Product, Campaign)
    )
    ClosedRevenue.objects.create(
        **first, closed=closed, kind="new", currency="EUR", plan=plan, product=product, campaign=campaign,
        cohort_on=FEBRUARY, amount_minor=1,
    )  # fmt: skip
    ClosedCustomers.objects.create(**first, closed=closed, currency="EUR", gained=1, returned=0, lost=0)


def _watched(company: Any, user: Any, message: Any, at: Any) -> None:
    """A saved report with a reader and a mail, a goal and a note."""
    from reporting.models import Annotation, Goal, ReportMail, ReportReader, SavedReport

    view = SavedReport.objects.create(company=company, report="mrr", name="Mine", owner=user, created_at=at)
    ReportReader.objects.create(company=company, view=view, user=user)
    ReportMail.objects.create(company=company, view=view, user=user, on=FEBRUARY, message=message)
    Goal.objects.create(company=company, report="mrr", figure="mrr", month=FEBRUARY, value=1, set_by=user)
    Annotation.objects.create(company=company, on=FEBRUARY, text="x", written_by=user)


def _said(company: Any) -> None:
    """A reminder about everything a reminder can be about, with an offer that was taken; a notice by law."""
    from billing.models import Invoice, PaymentMethod
    from catalog.models import Discount
    from crm.models import Offer, Reminder, ReminderRule, Segment
    from customers.models import Message
    from subscriptions.models import AgreedDiscount, RenewalNotice

    at = at_noon(FEBRUARY)
    own: dict[str, Any] = {"company": company}
    discount = Discount.objects.filter(company=company).order_by("pk")[0]
    agreed = AgreedDiscount.objects.filter(company=company).order_by("pk")[0]
    invoice = Invoice.objects.filter(company=company, sequence__isnull=False).order_by("pk")[0]
    message = Message.objects.filter(company=company).order_by("pk")[0]
    offer = Offer.objects.create(**own, name="Stay", discount=discount, created_at=at)
    rule = ReminderRule.objects.create(**own, name="Stay", occasion="before_renewal", text="remind_offer",
                                       category="marketing", offer=offer, created_at=at)  # fmt: skip
    _mailed(company, offer=offer, agreed=agreed, message=message)
    _tied(company, agreed.subscription.customer)
    ReminderRule.objects.filter(pk=rule.pk).update(segment=Segment.objects.filter(**own).order_by("pk")[0])
    Reminder.objects.create(
        **own, rule=rule, customer=invoice.customer, subscription=agreed.subscription, invoice=invoice,
        method=PaymentMethod.objects.filter(company=company).order_by("pk")[0], subject_id=agreed.subscription_id,
        occasion_on=FEBRUARY, offer=offer, offer_until_on=FEBRUARY, message=message, sent_at=at, accepted_at=at,
        agreed=agreed,
    )  # fmt: skip
    RenewalNotice.objects.create(
        **own, subscription=agreed.subscription, term_ends_on=FEBRUARY, cancel_by_on=JANUARY, law="FR-L215-1",
        due_from_on=JANUARY, due_until_on=JANUARY, effect="leave_any_time", message=message, body_hash="a", sent_at=at,
    )  # fmt: skip


def _tied(company: Any, customer: Any) -> None:
    """A tie to a newsletter, for a segment, with somebody who was sent."""
    from catalog.models import Campaign
    from core.services import files
    from crm.models import Lead, Segment, Tie, TieChange, TieFile, TieRecord, TieRun

    segment = Segment.objects.filter(company=company).order_by("pk")[0]
    tie = Tie.objects.create(company=company, kind="brevo", name="News", secret="x", audience="7", segment=segment,
                             created_at=at_noon(FEBRUARY))  # fmt: skip
    at, own = at_noon(FEBRUARY), {"company": company, "tie": tie}
    Tie.objects.filter(pk=tie.pk).update(campaign=Campaign.objects.filter(company=company).order_by("pk").first())
    TieRecord.objects.create(**own, kind="person", key="a@x.test", customer=customer, state="sent")
    TieRun.objects.create(**own, began_at=at, ended_at=at, taken=1)
    TieChange.objects.create(**own, at=at, key="a@x.test", customer=customer, what="name", outcome="taken",
                             lead=Lead.objects.filter(company=company).order_by("pk").first())  # fmt: skip
    file = files.store(company_id=company.pk, name="c.csv", media_type="text/csv", content=b"email")
    TieFile.objects.create(**own, file=file, name="c.csv", line_count=1, created_at=at)
    _acted_on(company, segment, customer)


def _acted_on(company: Any, segment: Any, customer: Any) -> None:
    """An act on everybody in a segment that was done with one of their subscriptions."""
    from crm.models import BulkAct, BulkRow

    at = at_noon(FEBRUARY)
    act = BulkAct.objects.create(company=company, segment=segment, kind="cancel", on=FEBRUARY, state="done",
                                 language="en", created_at=at, started_at=at, ended_at=at)  # fmt: skip
    BulkRow.objects.create(company=company, bulk_act=act, customer=customer, state="done", tried_at=at,
                           subscription=customer.subscriptions.order_by("pk")[0])  # fmt: skip


def _mailed(company: Any, *, offer: Any, agreed: Any, message: Any) -> None:
    """Two mailings to a segment, one with an offer that was taken, one with a code."""
    from catalog.models import Campaign, OfferCode
    from crm.models import Mailing, MailingRecipient, Segment

    at = at_noon(FEBRUARY)
    segment = Segment.objects.create(company=company, name="Mailed to", created_at=at, changed_at=at)
    own: dict[str, Any] = {
        "company": company, "segment": segment, "created_at": at, "subject": {"en": "x"}, "body": {"en": "x"},
        "campaign": Campaign.objects.filter(company=company).order_by("pk")[0],
    }  # fmt: skip
    Mailing.objects.create(**own, name="Code", offer_code=OfferCode.objects.filter(company=company).order_by("pk")[0])
    mailing = Mailing.objects.create(**own, name="Stay", offer=offer, state="done", starts_at=at, frozen_at=at)
    MailingRecipient.objects.create(
        company=company, mailing=mailing, customer_id=agreed.subscription.customer_id,
        subscription_id=agreed.subscription_id, message=message, sent_at=at, accepted_at=at, agreed=agreed,
    )  # fmt: skip
