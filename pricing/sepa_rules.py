"""SEPA's rules on texts, ids and countries. Standard library only.

The rule that matters: what goes into a bank file is made of SEPA's letters alone, so that no name breaks a file.
Sources: EPC217-08 (character set), EPC262-08 (creditor identifier), EPC409-09 (countries).
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

#: Countries of the geographical scope that are in the European Economic Area: an IBAN alone is enough.
EEA: Final = frozenset(
    (
        "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IS", "IT", "LI",
        "LT", "LU", "LV", "MT", "NL", "NO", "PL", "PT", "RO", "SE", "SI", "SK",
    )
)  # fmt: skip
#: Countries beyond it, whose accounts need the BIC and the holder's address.
BEYOND_EEA: Final = frozenset(
    ("AD", "AL", "CH", "GB", "GG", "GI", "IM", "JE", "MC", "MD", "ME", "MK", "RS", "SM", "VA")
)
#: Letters and the signs a bank has to take.
_OTHERS: Final = re.compile(r"[^A-Za-z0-9/\-?:().,'+ ]")
_NAMES: Final = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "ß": "ss", "ẞ": "SS", "&": "+", "_": "-"}
)
_CREDITOR: Final = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{3}[A-Z0-9]{1,28}")


def spelled(text: str) -> str:
    """Umlauts and signs that SEPA lacks, spelled as banks do; everything else is left.

    >>> spelled("Müller & Söhne_1")
    'Mueller + Soehne-1'
    """
    return unicodedata.normalize("NFC", text).translate(_NAMES)


def bank_text(text: str, limit: int) -> str:
    """At most so many characters of SEPA's set: what it lacks is a blank; no slash at an end, none doubled.

    >>> bank_text("  <Rock'n'Roll>  //GmbH/ ", 70)
    "Rock'n'Roll /GmbH"
    """
    kept = _OTHERS.sub(" ", spelled(text))
    kept = re.sub("/{2,}", "/", " ".join(kept.split()))
    return kept[:limit].strip(" /")


def _mod_97(text: str) -> int:
    return int("".join(str(int(sign, 36)) for sign in text)) % 97


def is_creditor_id(text: str) -> bool:
    """Whether a SEPA creditor identifier is well formed and its check digits hold; the business code doesn't count.

    >>> is_creditor_id("DE98ZZZ09999999999"), is_creditor_id("DE98ABC09999999999"), is_creditor_id("DE97ZZZ09999999999")
    (True, True, False)
    """
    return _CREDITOR.fullmatch(text) is not None and _mod_97(text[7:] + text[:4]) == 1


def is_reference(text: str) -> bool:
    """Whether a text may be a mandate reference: 1 to 35 letters of the set, without blanks.

    >>> is_reference("CUS-000001-1"), is_reference("a b"), is_reference("")
    (True, False, False)
    """
    return bool(text) and " " not in text and bank_text(text, 35) == text
