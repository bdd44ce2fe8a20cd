"""The scenes of selling: leads on their way through the pipeline, quotes and their answers, segments, a mailing.

The rule that matters: one story for pages that would else open empty; each step is the verb that staff would use.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final, NamedTuple

from catalog.models import Campaign, Plan
from catalog.services import discounts
from core.models import User
from core.refusal import Refused
from crm.models import Lead, LeadStage, Mailing, Offer, Quote, Segment
from crm.services import (
    activities,
    lead_capture,
    leads,
    mailing_offers,
    mailings,
    offers,
    pipeline,
    quote_agreeing,
    quote_answering,
    quote_sending,
    quotes,
    segments,
    tasks,
)
from crm.services.activities import Step
from crm.services.quote_answering import Signature
from crm.services.quotes import LineSpec
from customers.models import Customer
from customers.services import consents
from demo.scenes import Stage, scene

SEGMENT: Final = "Team-Kunden mit erlaubter Werbung"
MAILING: Final = "Treueangebot im Herbst"
#: Of the usual customers every so many allow advertising; of those written to every so many open the link, take it.
ALLOW, OPEN, TAKE = 3, 3, 9


class Ask(NamedTuple):
    """Somebody who asks: who, where, what it may be worth in cents a month, what they said."""

    key: str
    name: str
    organization: str
    minor: int
    source: str
    message: str


ASKS: Final = (
    Ask("dunes", "Ada Dünnebier", "Ferienhof Dünenblick GbR", 8100, "Messe Nordbau",
        "Sechs Plätze, Start möglichst zum Quartal. Geht auch jährliche Zahlung?"),
    Ask("glass", "Berthold Kuhn", "Glaserei Kuhn", 4050, "Empfehlung",
        "Wir sind zu dritt. Was kostet die Einrichtung?"),
    Ask("bikes", "Clara Sommerfeld", "Radwerk Lübeck GmbH", 6467, "Telefon",
        "Möchte das Paket Studio sehen, am liebsten als Vorführung."),
    Ask("bakery", "Deniz Yıldırım", "Backstube am Fleet", 6750, "Messe Nordbau", "Kasse und Termine in einem?"),
    Ask("surveyors", "Emil Ostermann", "Vermessungsbüro Ostermann PartG mbB", 13500, "Empfehlung",
        "Braucht einen Vertrag zur Auftragsverarbeitung, dann sofort."),
    Ask("roofs", "Frieda Lorenzen", "Lorenzen Bedachungen KG", 10800, "Telefon",
        "Wechselt von einem anderen Anbieter."),
    Ask("clinic", "Dr. Greta Ahrens", "Tierarztpraxis Ahrens", 6467, "Suche",
        "Hat die Vorführung gesehen, will bis Monatsende entscheiden."),
    Ask("boats", "Henrik Brix", "Bootsbau Brix ApS", 6467, "Messe Nordbau",
        "Aus Flensburg, Rechnung nach Deutschland."),
    Ask("florist", "Ines Moreau", "Blumen Moreau", 2700, "Telefon", "Zu teuer für zwei Leute."),
    Ask("movers", "Jannis Pohl", "Umzüge Pohl & Sohn", 6750, "Suche", "Meldet sich nicht mehr."),
)  # fmt: skip


def _lead(stage: Stage, key: str) -> Lead:
    rows = Lead.objects.select_related("company", "stage", "owner")
    return rows.get(company=stage.company, external_id=f"LEAD-{key}")


def _seller(stage: Stage) -> dict[str, Any]:
    return {"by": stage.staff("sales"), "at": stage.at}


def _sales() -> User:
    return User.objects.get(email="sales@hafenlicht.example")


def _enter(stage: Stage, *keys: str) -> None:
    for place, ask in enumerate(ASKS):
        if ask.key in keys:
            leads.create(
                company=stage.company, name=ask.name, organization=ask.organization, value_minor=ask.minor,
                email=f"{ask.key}@lead.example", phone=f"+49 40 66969 8{place:02}", country="DE", language="de",
                source=ask.source, message=ask.message, owner=_sales(), external_id=f"LEAD-{ask.key}",
                **_seller(stage),
            )  # fmt: skip


def _qualify(stage: Stage, *keys: str) -> None:
    second = [one for one in pipeline.of_company(stage.company) if one.kind == LeadStage.Kind.OPEN][1]
    for key in keys:
        _answered(stage, key)
        leads.move(lead=_lead(stage, key), stage=second, **_seller(stage))


def _answered(stage: Stage, key: str) -> None:
    for task in _lead(stage, key).tasks.filter(state="open"):
        tasks.finish(task=task, **_seller(stage))


def _quote(stage: Stage, key: str, plan: str, seats: int | None = None, **more: Any) -> Quote:
    """A quote to a lead, not sent yet."""
    template = Plan.objects.get(company=stage.company, code=plan)
    lines = None
    if seats is not None:
        items = template.items.select_related("product")
        lines = [LineSpec(item.product, Decimal(seats), kind=item.kind) for item in items]
    address = {"lines": ["Am Kai 12"], "postal_code": "20457", "city": "Hamburg", "country": "DE"}
    intro = "Vielen Dank für das Gespräch. Gern bieten wir Ihnen an:"
    return quotes.create(
        company=stage.company, plan=template, lead=_lead(stage, key), lines=lines, address=address, intro=intro,
        closing="Die Einrichtung dauert einen Tag; wir stimmen ihn mit Ihnen ab.", **more, **_seller(stage),
    )  # fmt: skip


def _sent(stage: Stage, key: str) -> Quote:
    """The lead's quote."""
    return Quote.objects.select_related("company").get(company=stage.company, lead=_lead(stage, key))


@scene(75)
def the_first_ones_ask(stage: Stage) -> None:
    _enter(stage, "surveyors", "florist", "movers")


@scene(64)
def surveyors_are_visited(stage: Stage) -> None:
    _qualify(stage, "surveyors", "florist")
    activities.log(
        company=stage.company, lead=_lead(stage, "surveyors"), kind="visit", subject="Vorführung im Büro",
        text="Zwölf Plätze, zwei davon nur lesend. Herr Ostermann entscheidet selbst.", owner=_sales(),
        begins_at=stage.at - timedelta(hours=2), outcome="Angebot gewünscht", **_seller(stage),
    )  # fmt: skip


@scene(50)
def one_does_not_answer(stage: Stage) -> None:
    leads.lose(lead=_lead(stage, "movers"), reason="no_answer", **_seller(stage))
    _enter(stage, "boats", "roofs")


@scene(47)
def two_more_are_talked_to(stage: Stage) -> None:
    _qualify(stage, "boats", "roofs")


@scene(40)
def some_allow_advertising(stage: Stage) -> None:
    usual = Customer.objects.filter(
        company=stage.company, external_id__startswith="CRM-", archived_at__isnull=True,
        subscriptions__plan__code="team", subscriptions__state="active",
    ).order_by("pk")  # fmt: skip
    for customer in usual.distinct()[::ALLOW]:
        consents.allow(holder=customer, source="Kundentag, Liste am Eingang", **stage.now)


@scene(30)
def staff_make_segments(stage: Stage) -> None:
    plan = Plan.objects.get(company=stage.company, code="team")
    rows: tuple[tuple[str, str, list[dict[str, Any]]], ...] = (
        (SEGMENT, "Für Angebote an treue Kunden.", [
            {"field": "plan", "op": "in", "value": [plan.ref]},
            {"field": "state", "op": "in", "value": ["active"]},
            {"field": "advertising_allowed", "op": "is", "value": True},
        ]),
        ("Verlängert sich in 60 Tagen", "Vor der Verlängerung anrufen.", [
            {"field": "renews_on", "op": "in_next", "value": 60},
        ]),
    )  # fmt: skip
    for name, note, conditions in rows:
        rules = {"match": "all", "conditions": conditions, "groups": []}
        segments.save(company=stage.company, name=name, note=note, rules=rules, **_seller(stage))


@scene(20)
def more_ask(stage: Stage) -> None:
    _enter(stage, "clinic", "bikes", "bakery")
    _qualify(stage, "clinic", "bakery")


@scene(14)
def a_form_stands_on_the_website(stage: Stage) -> None:
    form = lead_capture.save(
        company=stage.company, is_active=True, asks_consent=True, owner=_sales(), by=stage.staff("admin"), at=stage.at
    )
    given = {"name": "Karla Wittstock", "organization": "Atelier Wittstock", "email": "karla@lead.example",
             "country": "DE", "message": "Gibt es einen Preis für Ateliers mit wechselnden Leuten?"}  # fmt: skip
    lead_capture.submit(form=form, key="demo-1", given=given, language="de", consents=True, at=stage.at)


@scene(13)
def quotes_go_out(stage: Stage) -> None:
    """One of them will run out in a week."""
    for key, plan, seats, days in (
        ("surveyors", "team-yearly", 12, 30), ("florist", "team", 2, 30), ("boats", "studio", None, 7),
    ):  # fmt: skip
        quote = _quote(stage, key, plan, seats, valid_until=stage.day + timedelta(days=days))
        quote_sending.send(quote=quote, **_seller(stage))


@scene(11)
def a_quote_is_declined(stage: Stage) -> None:
    reason = "Für zwei Leute ist es uns zu teuer."
    quote_answering.decline(
        quote=_sent(stage, "florist"),
        reason=reason,
        signature=Signature("Ines Moreau"),
        by=quote_agreeing.READER,
        at=stage.at,
    )
    leads.lose(lead=_lead(stage, "florist"), reason="price", words=reason, **_seller(stage))


@scene(10)
def surveyors_accept(stage: Stage) -> None:
    quote = _sent(stage, "surveyors")
    quote_answering.note_opened(quote, at=stage.at)
    quote_answering.accept(
        quote=quote, signature=Signature("Emil Ostermann", place="192.0.2.17"), by=quote_agreeing.READER, at=stage.at
    )


@scene(9)
def a_mailing_goes_out(stage: Stage) -> None:
    campaign = discounts.create_campaign(company=stage.company, code="treue", name="Treueaktion", **stage.now)
    discount = discounts.create_discount(
        company=stage.company, code="treue-10", percent=Decimal(10), duration="periods", periods=6, campaign=campaign,
        name={"de": "Treuerabatt", "en": "Loyalty discount", "fr": "Remise de fidélité", "it": "Sconto fedeltà",
              "es": "Descuento por fidelidad"}, **stage.now,
    )  # fmt: skip
    offer = offers.save(
        company=stage.company, name="Treue: 10 % für sechs Monate", discount=discount, valid_days=30,
        words={"de": "10 % Rabatt für sechs Monate", "en": "10 % off for six months"}, **_seller(stage),
    )  # fmt: skip
    mailing = _write(stage, campaign, offer)
    mailings.schedule(mailing=mailing, **_seller(stage))


def _write(stage: Stage, campaign: Campaign, offer: Offer) -> Mailing:
    subject = {"de": "Ein Dank an {customer}", "en": "A thank you to {customer}"}
    body = {
        "de": "Guten Tag,\n\nSie sind schon lange bei uns. Zum Dank: {offer}, bis zum {offer_until}.\n\n"
              "{link}\n\n{signature}",
        "en": "Hello,\n\nyou have been with us for long. As a thank you: {offer}, until {offer_until}.\n\n"
              "{link}\n\n{signature}",
    }  # fmt: skip
    segment = Segment.objects.get(company=stage.company, name=SEGMENT)
    return mailings.save(
        company=stage.company, name=MAILING, campaign=campaign, segment=segment, subject=subject, body=body,
        offer=offer, **_seller(stage),
    )  # fmt: skip


@scene(6)
def readers_open_and_take_the_offer(stage: Stage) -> None:
    mailing = Mailing.objects.get(company=stage.company, name=MAILING)
    rows = mailing.recipients.filter(sent_at__isnull=False).select_related(
        "company", "customer", "mailing__campaign", "mailing__offer__discount", "subscription"
    )
    for place, recipient in enumerate(rows.order_by("pk")):
        if place % OPEN:
            continue
        mailing_offers.note_clicked(recipient, at=stage.at)
        if place % TAKE == 0:
            with suppress(Refused):
                mailing_offers.accept(recipient=recipient, by=mailing_offers.READER, at=stage.at)


@scene(4)
def a_quote_is_read(stage: Stage) -> None:
    quote = _quote(stage, "clinic", "studio")
    quote_answering.note_opened(quote_sending.send(quote=quote, **_seller(stage)), at=stage.at)


@scene(3)
def the_rest_of_the_week(stage: Stage) -> None:
    _enter(stage, "dunes", "glass")
    form = lead_capture.of_company(stage.company)
    given = {"name": "Lars Oetjen", "email": "lars@lead.example", "country": "DE",
             "message": "Kann ich vom Paket Classic wechseln?"}  # fmt: skip
    lead_capture.submit(form=form, key="demo-2", given=given, language="de", at=stage.at)
    leads.comment(lead=_lead(stage, "bikes"), text="Vorführung am Donnerstag um 14 Uhr.", **_seller(stage))
    _quote(stage, "bakery", "team", 5)  # still being written


@scene(2)
def colleagues_talk_and_plan(stage: Stage) -> None:
    activities.log(
        company=stage.company, customer=stage.customer("partial"), kind="call", direction="out", owner=_sales(),
        subject="Rest der Rechnung", text="Zahlt am Freitag. Fragt nach einem weiteren Platz.", outcome="zugesagt",
        begins_at=stage.at - timedelta(minutes=25), ends_at=stage.at - timedelta(minutes=12),
        step=Step("Angebot über einen weiteren Platz", stage.day + timedelta(days=4), _sales()), **_seller(stage),
    )  # fmt: skip
    activities.log(
        company=stage.company, lead=_lead(stage, "bikes"), kind="meeting", subject="Vorführung Studio", owner=_sales(),
        begins_at=stage.at + timedelta(days=3, hours=4), ends_at=stage.at + timedelta(days=3, hours=5),
        place="Video", **_seller(stage),
    )  # fmt: skip
    tasks.create(
        company=stage.company, title="Messe im Januar: Stand und Flyer bestellen", priority="high", owner=_sales(),
        due_on=stage.day + timedelta(days=1), **_seller(stage),
    )  # fmt: skip
    support = User.objects.get(email="support@hafenlicht.example")
    tasks.create(
        company=stage.company, title="Zugang der neuen Kollegin einrichten", customer=stage.customer("yard"),
        due_on=stage.day + timedelta(days=3), owner=support, **_seller(stage),
    )  # fmt: skip
