"""By what leads are compared: addresses, phone numbers, domains and names of companies, folded.

Nothing here is shown; what somebody entered is kept as it was.
"""

from __future__ import annotations

import re
from typing import Final

from core.texts import sort_key

#: Domains in which anybody can have an address: they say nothing about a company.
ANYBODYS: Final = frozenset([
    "aol.com", "arcor.de", "bluewin.ch", "free.fr", "freenet.de", "gmail.com", "gmx.at", "gmx.ch", "gmx.com",
    "gmx.de", "gmx.net", "googlemail.com", "hotmail.com", "hotmail.de", "hotmail.es", "hotmail.fr", "hotmail.it",
    "icloud.com", "laposte.net", "libero.it", "live.com", "mail.de", "mailbox.org", "me.com", "msn.com", "orange.fr",
    "outlook.com", "outlook.de", "posteo.de", "proton.me", "protonmail.com", "sfr.fr", "t-online.de", "tiscali.it",
    "virgilio.it", "wanadoo.fr", "web.de", "yahoo.com", "yahoo.de", "yahoo.es", "yahoo.fr", "yahoo.it",
])  # fmt: skip
#: Digits that are compared: the rest are ways to write the country and the trunk.
PHONE_DIGITS: Final = 9
_FORMS: Final = re.compile(
    r"\b(gmbh|ag|ug|kg|ohg|gbr|e ?k|co|kgaa|se|mbh|haftungsbeschrankt|ltd|limited|inc|llc|plc|corp|sarl|sas|sasu|sa|"
    r"srl|spa|snc|sl|slu|bv|nv|oy|ab|aps|as|sp z o o)\b"
)
_MARKS: Final = re.compile(r"[^\w]+")


def email_key(address: str) -> str:
    """The address without case and without a tag.

    >>> email_key(" Ada+Fair@Example.COM ")
    'ada@example.com'
    """
    local, at, domain = address.strip().lower().rpartition("@")
    return f"{local.partition('+')[0]}@{domain}" if at else ""


def domain_key(address: str) -> str:
    """The domain of the address, unless anybody can have one there.

    >>> domain_key("ada@windkraft.example"), domain_key("ada@gmail.com")
    ('windkraft.example', '')
    """
    domain = email_key(address).rpartition("@")[2]
    return "" if domain in ANYBODYS else domain


def phone_key(number: str) -> str:
    """The last digits, which are the same however country and area are written; too few say nothing.

    >>> phone_key("+49 (0)30 1234-567"), phone_key("030 1234567"), phone_key("112")
    ('301234567', '301234567', '')
    """
    digits = "".join(letter for letter in number if letter.isascii() and letter.isdigit())
    return digits[-PHONE_DIGITS:] if len(digits) >= 7 else ""


def organization_key(name: str) -> str:
    """The name without case, accents, marks and legal form.

    >>> organization_key("Windkraft Nord GmbH & Co. KG"), organization_key("WINDKRAFT-NORD")
    ('windkraft nord', 'windkraft nord')
    """
    plain = _MARKS.sub(" ", sort_key(name))
    return " ".join(_FORMS.sub(" ", plain).split()) or " ".join(plain.split())
