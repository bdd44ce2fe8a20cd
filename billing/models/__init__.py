"""What is owed and paid."""

from .books import Account, ChainHead, ChainLink, Posting, Snapshot, SnapshotPart
from .days import BilledDays
from .documents import CreditNote, CreditNoteLine, Document, Invoice, InvoiceBalance, InvoiceLine, LineCredit
from .money import Allocation, Credit, CreditBalance, Payment, PaymentBalance, Refund
from .runs import BillingChunk, BillingRun

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
    "Document",
    "Invoice",
    "InvoiceBalance",
    "InvoiceLine",
    "LineCredit",
    "Payment",
    "PaymentBalance",
    "Posting",
    "Refund",
    "Snapshot",
    "SnapshotPart",
]
