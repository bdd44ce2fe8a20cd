"""The way out of advertising: a signed link below every such mail, good without signing in, and undone as easily.

The rule that matters: looking at the page changes nothing; only pressing the button, or the one click of a mail program
(RFC 8058), does.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from django.conf import settings
from django.core.signing import BadSignature, Signer
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _
from django.utils.translation import override

from core.actors import Actor
from core.ids import BadId
from core.models import Company
from core.refusal import Refused
from customers.models import Message, Suppression
from customers.services import suppressing

SALT: Final = "turnus.unsubscribe"
READER: Final = Actor.system("link in a mail")
_MARK: Final = "-- \n"


def link(message: Message) -> str:
    """The address of the page that ends advertising to the message's address."""
    return link_of(message.ref)


def link_of(ref: str) -> str:
    """The same, of a message that is being written."""
    token = Signer(salt=SALT).sign(ref)
    try:
        path = reverse("unsubscribe", kwargs={"token": token})
    except NoReverseMatch:  # the product without its portal
        path = f"/unsubscribe/{token}/"
    return f"{settings.SITE_URL}{path}"


def footer(company: Company, ref: str, language: str) -> str:
    """What stands below advertising, in its language; `ref` is the message's."""
    with override(language):
        words = _("You don't want such mails from %(company)s any more? Unsubscribe here:") % {"company": company.name}
    return f"{_MARK}{words}\n{link_of(ref)}"


def without_footer(message: Message) -> str:
    """The text as it was given to `write`."""
    if message.category != Message.Category.MARKETING:
        return message.body
    return message.body.rpartition(f"\n\n{_MARK}")[0] + "\n"


def headers(message: Message) -> dict[str, str]:
    """What tells mail programs of the way out (RFC 2369, RFC 8058)."""
    return {"List-Unsubscribe": f"<{link(message)}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}


def read(token: str) -> Message:
    """The message a link came with. Refuses `unsubscribe.invalid`."""
    rows = Message.objects.select_related("company", "customer").filter(category=Message.Category.MARKETING)
    try:
        return Message.by_ref(rows, Signer(salt=SALT).unsign(token))
    except (BadSignature, BadId, Message.DoesNotExist) as error:
        raise Refused("unsubscribe.invalid") from error


def address_of(message: Message) -> str:
    """Whom the link speaks for."""
    return str(message.recipients[0]) if message.recipients else ""


def is_unsubscribed(message: Message) -> bool:
    """Whether no advertising goes to its address any more."""
    return bool(suppressing.blocked(message.company_id, [address_of(message)], category=Message.Category.MARKETING))


def unsubscribe(*, message: Message, at: datetime) -> Suppression:
    """No more advertising from this company to the message's address. Repeated: nothing happens."""
    return suppressing.suppress(
        company=message.company, address=address_of(message), reason=Suppression.Reason.UNSUBSCRIBED, by=READER, at=at,
        message=message,
    )  # fmt: skip


def undo(*, message: Message, at: datetime) -> None:
    """Advertising may come again. What bounced or was marked as spam stays blocked."""
    suppressing.lift_reason(
        company=message.company, address=address_of(message), reason=Suppression.Reason.UNSUBSCRIBED, by=READER, at=at
    )
