"""What is agreed, what it is worth a month, and where it came from."""

from .agreement import Movement, Slot, SlotTerms, Subscription
from .imports import Import, ImportLine

__all__ = ["Import", "ImportLine", "Movement", "Slot", "SlotTerms", "Subscription"]
