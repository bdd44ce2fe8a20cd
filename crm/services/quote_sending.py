"""Sending a quote: its content is frozen, its mail written, a task made to ask after it; running out.

The rule that matters: sent is frozen. What the recipient reads is what stood here when somebody pressed the button.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any, Final

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, override

from billing.documents.figures import Figures
from core import clock
from core.actors import Actor
from core.models import NAME_LENGTH, Company
from core.refusal import Refused
from core.services import ticks
from crm.models import LeadStage, Quote, Task
from crm.services import leads, pipeline, quote_agreeing, quote_content, quote_links, quotes, tasks
from crm.services.quote_trail import tell
from customers.models import Message
from customers.services import mail_texts, messages

State = Quote.State
SUBJECT: Final = "quote"
#: Days after which somebody asks whether the quote was read.
ASK_DAYS: Final = 5
AT_ONCE: Final = 500
BY: Final = Actor.system("Quotes")


@transaction.atomic
def send(*, quote: Quote, by: Actor, at: datetime) -> Quote:
    """Freezes the draft and mails it with its paper and link. Repeated: nothing happens.

    Refuses what accepting would refuse, one without an address, and one whose last day is over.
    """
    quote = quotes.lock(quote)
    if quote.state == State.SENT:
        return quote
    if quote.state != State.DRAFT:
        raise Refused("quote.state", number=quote.label, state=quote.get_state_display())
    if not quote.email:
        raise Refused("quote.no_email", field="email")
    today = clock.day_in(at, quote.company.time_zone)
    if quote.valid_until < today:
        raise Refused("quote.over", field="valid_until", day=quote.valid_until)
    cost = quote_agreeing.cost(quote, quote_agreeing.chosen_of(quote), at=at)
    # What is stored is what is hashed: the database may write a text otherwise than Python does.
    quote.content = quote_content.of_quote(quote, cost, on=today)
    quote.content_hash = quote_content.hash_of(quote.content)
    quote.state, quote.sent_at = State.SENT, at
    quote.save(update_fields=["content", "content_hash", "state", "sent_at"])
    quote.message = _mail(quote, "quote_sent", {}, at=at)
    quote.follow_up = _ask_later(quote, today, by=by, at=at)
    quote.save(update_fields=["message", "follow_up"])
    tell(quote, "send", by=by, at=at, facts={"hash": quote.content_hash})
    _move_lead(quote, by=by, at=at)
    return quote


def mail_answer(quote: Quote, *, at: datetime) -> Message | None:
    """Confirms to the recipient what was accepted."""
    return _mail(quote, "quote_accepted", {"name": quote.answers.get().name}, at=at) if quote.email else None


def _mail(quote: Quote, text: str, more: dict[str, str], *, at: datetime) -> Message:
    figures = Figures(quote.language, quote.currency)
    with override(quote.language):
        facts = {
            "customer": quote.person or quote.recipient,
            "number": quote.label,
            "title": quote.title,
            "valid_until": figures.day(quote.valid_until),
            "link": quote_links.link_of(quote),
            "seller": str(quote.owner) if quote.owner is not None else "",
            **more,
        }
        mail = mail_texts.compose(company=quote.company, name=text, language=quote.language, facts=facts)
    return messages.write(
        company=quote.company, customer=quote.customer, template=text, language=quote.language, subject=mail.subject,
        body=mail.body, recipients=[quote.email], attachments=[{"kind": SUBJECT, "id": quote.pk}],
        subject_kind=SUBJECT, subject_id=quote.pk, at=at,
    )  # fmt: skip


def _ask_later(quote: Quote, today: date, *, by: Actor, at: datetime) -> Task:
    """The task to ask after it: some days later, but while it is still good."""
    with override(quote.company.language):
        title = _("Ask %(customer)s about quote %(number)s") % {"customer": quote.recipient, "number": quote.label}
    due_on = max(today, min(today + timedelta(days=ASK_DAYS), quote.valid_until))
    return tasks.create(
        company=quote.company, title=title[:NAME_LENGTH], due_on=due_on, customer=quote.customer,
        lead=None if quote.lead is None else leads.standing(quote.lead), owner=quote.owner, by=by, at=at,
    )  # fmt: skip


def _move_lead(quote: Quote, *, by: Actor, at: datetime) -> None:
    """A lead with a quote is at the last stage before it is won, unless somebody put it elsewhere past that."""
    lead = None if quote.lead is None else leads.standing(quote.lead)
    if lead is None or lead.stage.kind != LeadStage.Kind.OPEN:
        return
    last = [stage for stage in pipeline.of_company(quote.company) if stage.kind == LeadStage.Kind.OPEN][-1]
    if last.position > lead.stage.position:
        leads.move(lead=lead, stage=last, by=by, at=at)


@messages.when_sent(SUBJECT)
def _nothing_follows(message: Message) -> None:
    """A quote is sent when its mail is written; nothing waits for its going out."""


def expire_due(*, company: Company, at: datetime, by: Actor = BY) -> int:
    """Ends the quotes whose last day is over; how many. The task to ask after each stays."""
    today = clock.day_in(at, company.time_zone)
    due = Quote.objects.filter(company=company, state=State.SENT, valid_until__lt=today)
    count = 0
    for pk in due.order_by("valid_until", "pk").values_list("pk", flat=True)[:AT_ONCE]:
        with transaction.atomic():
            quote = quotes.lock(Quote(pk=pk))
            if quote.state == State.SENT and quote.valid_until < today:
                quotes.end(quote, State.EXPIRED, at=at)
                tell(quote, "expire", by=by, at=at)
                count += 1
    return count


@ticks.tick(
    "crm.quotes", order=56, every=timedelta(hours=1), title=gettext_lazy("Quotes"),
    text=gettext_lazy("Closes quotes that nobody accepted in time."),
)  # fmt: skip
def quotes_tick(company: Company, at: datetime) -> dict[str, Any]:
    """Quotes whose last day is over."""
    return {"expired": expire_due(company=company, at=at)}
