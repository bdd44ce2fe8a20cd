"""What is owed and paid."""

from .bank import BankLine, BankStatement
from .books import Account, ChainHead, ChainLink, Posting, Snapshot, SnapshotPart
from .collecting import Attempt, DebitBatch, GatewayEvent, Reversal
from .days import BilledDays
from .documents import CreditNote, CreditNoteLine, Document, Invoice, InvoiceBalance, InvoiceLine, LineCredit
from .dunning import Claim, DunningCase, DunningEntry, DunningPolicy, DunningStep, InterestRate
from .methods import Gateway, Mandate, PaymentMethod, SubscriptionMethod
from .money import Allocation, Credit, CreditBalance, CreditUse, Payment, PaymentBalance, PaymentDay, Refund
from .runs import BillingChunk, BillingRun
from .usage import DiscountUse, ExchangeRate, RatedUsage

__all__ = [
    "Account",
    "Allocation",
    "Attempt",
    "BankLine",
    "BankStatement",
    "BilledDays",
    "BillingChunk",
    "BillingRun",
    "ChainHead",
    "ChainLink",
    "Claim",
    "Credit",
    "CreditBalance",
    "CreditNote",
    "CreditNoteLine",
    "CreditUse",
    "DebitBatch",
    "DiscountUse",
    "Document",
    "DunningCase",
    "DunningEntry",
    "DunningPolicy",
    "DunningStep",
    "ExchangeRate",
    "Gateway",
    "GatewayEvent",
    "InterestRate",
    "Invoice",
    "InvoiceBalance",
    "InvoiceLine",
    "LineCredit",
    "Mandate",
    "Payment",
    "PaymentBalance",
    "PaymentDay",
    "PaymentMethod",
    "Posting",
    "RatedUsage",
    "Refund",
    "Reversal",
    "Snapshot",
    "SnapshotPart",
    "SubscriptionMethod",
]
