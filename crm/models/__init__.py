"""What is said to customers in time, and what staff have to do."""

from .alerts import Alert, AlertAudience, AlertRule, Digest, Priority
from .offers import Offer
from .reminders import Reminder, ReminderRule
from .tasks import Task, TaskComment

__all__ = [
    "Alert",
    "AlertAudience",
    "AlertRule",
    "Digest",
    "Offer",
    "Priority",
    "Reminder",
    "ReminderRule",
    "Task",
    "TaskComment",
]
