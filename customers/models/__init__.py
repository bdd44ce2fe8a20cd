"""Who buys, and what is said with them."""

from .customer import Address, Contact, Customer
from .dialogue import Message, Note
from .tax_ids import VatCheck

__all__ = ["Address", "Contact", "Customer", "Message", "Note", "VatCheck"]
