"""What is sold and how it is taxed."""

from .offers import (
    AnchorRule,
    CancelTiming,
    NoticeTo,
    Plan,
    PlanItem,
    Price,
    Product,
    RenewalRule,
    TaxBehavior,
    TermRules,
    Unit,
    Unused,
)
from .taxes import TaxCategory, TaxRate

__all__ = [
    "AnchorRule",
    "CancelTiming",
    "NoticeTo",
    "Plan",
    "PlanItem",
    "Price",
    "Product",
    "RenewalRule",
    "TaxBehavior",
    "TaxCategory",
    "TaxRate",
    "TermRules",
    "Unit",
    "Unused",
]
