"""The billing run: everything due by a day, customer after customer, in chunks that many workers share.

The rule that matters: a run is a function of state and date. Started three times at once, repeated, or begun again
after a crash, it adds nothing; it ends only with nothing due left that is neither billed nor parked.
"""

from billing.services.running.chunks import Step, bill_next, bill_one
from billing.services.running.days import continue_due, days_due
from billing.services.running.parking import parked, retry_parked
from billing.services.running.planning import Cut, start, unfinished
from billing.services.running.progress import Figures, close_if_over, figures, release
from billing.services.running.rehearsal import rehearse
from billing.services.running.working import work

__all__ = [
    "Cut",
    "Figures",
    "Step",
    "bill_next",
    "bill_one",
    "close_if_over",
    "continue_due",
    "days_due",
    "figures",
    "parked",
    "rehearse",
    "release",
    "retry_parked",
    "start",
    "unfinished",
    "work",
]
