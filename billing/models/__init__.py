"""What is owed and paid."""

from .books import Account, ChainHead, ChainLink, Posting, Snapshot, SnapshotPart
from .days import BilledDays
from .documents import CreditNote, CreditNoteLine, Document, Invoice, InvoiceBalance, InvoiceLine, LineCredit
from .money import Allocation, Credit, CreditBalance, CreditUse, Payment, PaymentBalance, Refund
from .runs import BillingChunk, BillingRun
from .usage import DiscountUse, ExchangeRate, RatedUsage

__all__ = [
    "Account",
    "Allocation",
    "BilledDays",
    "BillingChunk",
    "BillingRun",
    "ChainHead",
    "ChainLink",
    "Credit",
    "CreditBalance",
    "CreditNote",
    "CreditNoteLine",
    "CreditUse",
    "DiscountUse",
    "Document",
    "ExchangeRate",
    "Invoice",
    "InvoiceBalance",
    "InvoiceLine",
    "LineCredit",
    "Payment",
    "PaymentBalance",
    "Posting",
    "RatedUsage",
    "Refund",
    "Snapshot",
    "SnapshotPart",
]
