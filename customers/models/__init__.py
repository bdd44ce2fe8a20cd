"""Who buys, and what is said with them."""

from .apart import Apart
from .customer import Address, Contact, Customer
from .dialogue import Message, Note
from .erasures import Erasure
from .mail import MailText, Suppression
from .tax_ids import VatCheck

__all__ = [
    "Address", "Apart", "Contact", "Customer", "Erasure", "MailText", "Message", "Note", "Suppression", "VatCheck",
]  # fmt: skip
