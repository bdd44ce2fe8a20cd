"""What reports read and keep: facts of recurring revenue as a view, closed months, saved reports, goals and notes."""

from .booked import RevenueEntry, TaxEntry
from .closed import ClosedCustomers, ClosedMonth, ClosedRevenue
from .facts import RevenueFact
from .watching import Annotation, Goal, ReportMail, ReportReader, SavedReport

__all__ = [
    "Annotation",
    "ClosedCustomers",
    "ClosedMonth",
    "ClosedRevenue",
    "Goal",
    "ReportMail",
    "ReportReader",
    "RevenueEntry",
    "RevenueFact",
    "SavedReport",
    "TaxEntry",
]
