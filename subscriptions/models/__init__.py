"""What is agreed, what it is worth a month, what was used, and where it came from."""

from .agreement import Subscription
from .changes import AgreedDiscount, Change, OneOff
from .first_touches import FirstTouch
from .imports import Import, ImportLine
from .notices import RenewalNotice
from .revenue import Movement
from .slots import Slot, SlotTerms
from .usage import UsageDay, UsageEvent, UsageRefusal, UsageThreshold

__all__ = [
    "AgreedDiscount",
    "Change",
    "FirstTouch",
    "Import",
    "ImportLine",
    "Movement",
    "OneOff",
    "RenewalNotice",
    "Slot",
    "SlotTerms",
    "Subscription",
    "UsageDay",
    "UsageEvent",
    "UsageRefusal",
    "UsageThreshold",
]
