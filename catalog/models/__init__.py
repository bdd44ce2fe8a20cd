"""What is sold and how it is taxed."""

from .discounts import Campaign, Discount, DiscountRules, OfferCode
from .meters import Meter
from .offers import (
    AnchorRule,
    CancelTiming,
    NoticeTo,
    Plan,
    Product,
    RenewalRule,
    SuspendedBilling,
    TaxBehavior,
    TermRules,
    Unit,
    Unused,
)
from .prices import PlanItem, Price
from .taxes import TaxCategory, TaxRate

__all__ = [
    "AnchorRule",
    "Campaign",
    "CancelTiming",
    "Discount",
    "DiscountRules",
    "Meter",
    "NoticeTo",
    "OfferCode",
    "Plan",
    "PlanItem",
    "Price",
    "Product",
    "RenewalRule",
    "SuspendedBilling",
    "TaxBehavior",
    "TaxCategory",
    "TaxRate",
    "TermRules",
    "Unit",
    "Unused",
]
