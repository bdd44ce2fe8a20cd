"""What is said to customers in time, and what staff have to do."""

from .activities import Activity, ActivityFile, ActivityPerson, CalendarLink
from .alerts import Alert, AlertAudience, AlertRule, Digest, Priority
from .bulk_acts import BulkAct, BulkRow
from .leads import Lead, LeadForm, LeadNote, LeadStage, LostReason
from .mailings import Mailing, MailingRecipient
from .offers import Offer
from .quotes import Quote, QuoteAnswer, QuoteDiscount, QuoteLine
from .reminders import Reminder, ReminderRule
from .segments import Segment
from .tasks import Task, TaskComment
from .ties import Tie, TieChange, TieFile, TieRecord, TieRun

__all__ = [
    "Activity",
    "ActivityFile",
    "ActivityPerson",
    "Alert",
    "AlertAudience",
    "AlertRule",
    "BulkAct",
    "BulkRow",
    "CalendarLink",
    "Digest",
    "Lead",
    "LeadForm",
    "LeadNote",
    "LeadStage",
    "LostReason",
    "Mailing",
    "MailingRecipient",
    "Offer",
    "Priority",
    "Quote",
    "QuoteAnswer",
    "QuoteDiscount",
    "QuoteLine",
    "Reminder",
    "ReminderRule",
    "Segment",
    "Task",
    "TaskComment",
    "Tie",
    "TieChange",
    "TieFile",
    "TieRecord",
    "TieRun",
]
