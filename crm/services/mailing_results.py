"""What mailings brought: each figure is the number of rows that a condition finds, and the same condition lists them.

The rule that matters: money is counted from movements alone, of customers who took the offer, from the day they took it
until so many days after the mail as the mailing says; what others did is nobody's merit.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from django.db.models import Count, DateField, Exists, ExpressionWrapper, F, OuterRef, Q, QuerySet, Sum
from django.db.models.functions import TruncDate

from core import clock
from core.models import Company
from crm.models import Mailing, MailingRecipient
from crm.services.mailing_sending import KIND
from customers.models import Message, Suppression
from subscriptions.models import Movement

LeftOut = MailingRecipient.LeftOut
GAINS: Final = (Movement.Kind.NEW, Movement.Kind.EXPANSION, Movement.Kind.REACTIVATION)


def _messages(company: Company) -> QuerySet[Message]:
    return Message.objects.filter(company=company, subject_kind=KIND, subject_id=OuterRef("pk"))


def conditions(company: Company) -> dict[str, Q]:
    """For each figure the condition on recipients that it counts."""
    mails = _messages(company)
    own = Message.objects.filter(
        company=company, subject_kind=KIND, subject_id=OuterRef(OuterRef("pk")), pk=OuterRef("message_id")
    )
    left = Suppression.objects.filter(Exists(own), company=company, reason=Suppression.Reason.UNSUBSCRIBED)
    found = {
        "meant": Q(),
        "planned": Q(left_out=""),
        "left_out": ~Q(left_out=""),
        "waiting": Q(left_out="", sent_at__isnull=True),
        "sent": Q(sent_at__isnull=False),
        "bounced": Q(Exists(mails.filter(state__in=[Message.State.BOUNCED, Message.State.COMPLAINED]))),
        "held": Q(Exists(mails.filter(state__in=[Message.State.HELD, Message.State.FAILED]))),
        "clicked": Q(clicked_at__isnull=False),
        "unsubscribed": Q(sent_at__isnull=False) & Q(Exists(left)),
        "accepted": Q(accepted_at__isnull=False),
        "renewed": Q(renewed_at__isnull=False),
    }
    return found | {str(why): Q(left_out=why) for why in LeftOut}


@dataclass
class Results:
    """Figures of a mailing, or of several together; money in minor units of monthly revenue by currency."""

    counts: dict[str, int] = field(default_factory=dict)
    gained: dict[str, int] = field(default_factory=dict)
    lost: dict[str, int] = field(default_factory=dict)

    @property
    def net(self) -> dict[str, int]:
        """Gained less given up."""
        return {
            currency: self.gained.get(currency, 0) + self.lost.get(currency, 0)
            for currency in sorted({*self.gained, *self.lost})
        }

    @property
    def left_out(self) -> dict[str, int]:
        """Left out by reason, without those that nobody was."""
        return {str(why): self.counts[why] for why in LeftOut if self.counts.get(why)}


def recipients(mailing: Mailing, what: str) -> QuerySet[MailingRecipient]:
    """The rows that a figure counts. Raises KeyError for a figure that there is not."""
    return MailingRecipient.objects.filter(conditions(mailing.company)[what], mailing=mailing)


def results(mailings: Iterable[Mailing]) -> dict[int, Results]:
    """Of each mailing, by id, with its money: one statement more for each."""
    rows = list(mailings)
    found = counts(rows)
    for row in rows:
        held = found[row.pk]
        for kind, currency, minor in _money(row):
            of = held.gained if kind in GAINS else held.lost
            of[currency] = of.get(currency, 0) + minor
    return found


def counts(mailings: Iterable[Mailing]) -> dict[int, Results]:
    """The figures of each mailing without money, by id; all of one company, in one statement."""
    rows = list(mailings)
    if not rows:
        return {}
    company = rows[0].company
    asked = MailingRecipient.objects.filter(mailing__in=rows).order_by().values("mailing_id")
    # Told apart from the columns that the conditions name.
    wanted = {
        f"{name}_count": Count("pk", filter=condition) if condition else Count("pk")
        for name, condition in conditions(company).items()
    }
    found = {row.pk: Results({name.removesuffix("_count"): 0 for name in wanted}) for row in rows}
    figures: Any = asked.annotate(**wanted)
    for row in figures:
        held = found[row["mailing_id"]]
        held.counts = {name.removesuffix("_count"): row[name] for name in wanted}
    return found


def together(all_of: Iterable[Results]) -> Results:
    """The sum of several."""
    total = Results()
    for one in all_of:
        for into, out in ((total.counts, one.counts), (total.gained, one.gained), (total.lost, one.lost)):
            for name, value in out.items():
                into[name] = into.get(name, 0) + value
    return total


def _takers(company: Company, mailings: Iterable[Mailing]) -> QuerySet[Any]:
    """Who took the offer, with the days from and to which what they do counts."""
    zone = clock.zone(company.time_zone)
    day = TruncDate("sent_at", tzinfo=zone)
    return MailingRecipient.objects.filter(mailing__in=list(mailings), accepted_at__isnull=False).annotate(
        took_on=TruncDate("accepted_at", tzinfo=zone),
        until_on=ExpressionWrapper(day + F("mailing__attribution_days"), output_field=DateField()),
    )


def movements(mailing: Mailing) -> QuerySet[Movement]:
    """What the recurring revenue of those who took the offer did while it counts."""
    takers = _takers(mailing.company, [mailing])
    since = Q(movement_mark__isnull=True) | Q(movement_mark__lt=OuterRef("pk"))
    meant = takers.filter(
        since,
        customer=OuterRef("customer"),
        took_on__lte=OuterRef("effective_on"),
        until_on__gte=OuterRef("effective_on"),
    )
    return Movement.objects.filter(
        Exists(meant), company=mailing.company, customer__in=takers.order_by().values("customer")
    )


def _money(mailing: Mailing) -> Iterable[tuple[str, str, int]]:
    for row in movements(mailing).order_by().values("kind", "currency").annotate(total=Sum("amount_minor")):
        yield row["kind"], row["currency"], int(row["total"])
