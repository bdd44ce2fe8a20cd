"""Who buys, and what is said with them."""

from .customer import Address, Contact, Customer
from .dialogue import Message, Note
from .mail import MailText, Suppression
from .tax_ids import VatCheck

__all__ = ["Address", "Contact", "Customer", "MailText", "Message", "Note", "Suppression", "VatCheck"]
