"""The nouns every room stands on: people, companies, the trail, work, numbers, files."""

from .bases import NAME_LENGTH, Addressed, CompanyKeyed, CompanyOwned
from .company import LANGUAGE_CHOICES, Company, TermsFrom
from .mail import MailEvent
from .people import ApiKey, Membership, Role, User
from .records import NumberSeries, StoredFile
from .trail import AuditDetail, AuditEntry, Event
from .webhooks import WebhookDelivery, WebhookEndpoint, WebhookTry
from .work import Job, Outbox, TickNote, TickRun

__all__ = [
    "LANGUAGE_CHOICES",
    "NAME_LENGTH",
    "Addressed",
    "ApiKey",
    "AuditDetail",
    "AuditEntry",
    "Company",
    "CompanyKeyed",
    "CompanyOwned",
    "Event",
    "Job",
    "MailEvent",
    "Membership",
    "NumberSeries",
    "Outbox",
    "Role",
    "StoredFile",
    "TermsFrom",
    "TickNote",
    "TickRun",
    "User",
    "WebhookDelivery",
    "WebhookEndpoint",
    "WebhookTry",
]
