"""What people write when they pay, and what it may mean: numbers in texts, creditor references, names, sums.

The rule that matters: blanks, signs, case and accents make no difference; one more digit always does.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Hashable, Sequence
from difflib import SequenceMatcher
from functools import lru_cache
from typing import Final, TypeVar

Key = TypeVar("Key", bound=Hashable)

#: Letters and digits that a creditor reference has room for (ISO 11649).
MOST_REFERENCE: Final = 21
_RF: Final = re.compile(r"RF\s?\d\s?\d(?:\s?[0-9A-Z]){1,21}")
#: Legal forms and forms of address, which payers leave out or write otherwise.
_FORMS: Final = frozenset(
    [
        "gmbh",
        "mbh",
        "ug",
        "haftungsbeschrankt",
        "ag",
        "kg",
        "kgaa",
        "ohg",
        "gbr",
        "co",
        "cie",
        "company",
        "se",
        "ev",
        "eg",
        "ek",
        "sarl",
        "sas",
        "sa",
        "spa",
        "srl",
        "sl",
        "bv",
        "nv",
        "ltd",
        "limited",
        "inc",
        "llc",
        "plc",
        "oy",
        "ab",
        "herr",
        "frau",
        "mr",
        "mrs",
        "ms",
        "dr",
        "prof",
        "und",
        "and",
        "et",
        "e",
        "y",
    ]
)


def folded(text: str) -> str:
    """The text in capitals, letters and digits alone.

    >>> folded("re-2026 / 00012")
    'RE202600012'
    """
    plain = unicodedata.normalize("NFKD", text.upper())
    return "".join(sign for sign in plain if sign.isascii() and sign.isalnum())


def whole_numbers(text: str) -> set[int]:
    """Numbers up to 12 digits that the text may name: its runs of digits, their tails, and runs that blanks cut.

    A long run may begin with a year of four digits or two.

    >>> sorted(whole_numbers("RE-2026-00012"))
    [12, 2026]
    >>> sorted(whole_numbers("re 202600012"))
    [12, 2600012, 202600012]
    >>> sorted(whole_numbers("RE-2026-000 12"))
    [0, 12, 2026]
    """
    runs = re.findall(r"\d+", text)
    joined = re.findall(r"\d+", re.sub(r"(?<=\d)\s(?=\d)", "", text))
    found: set[int] = set()
    for run in {*runs, *joined}:
        tails = [run]
        if re.match(r"(?:19|20)\d{3}", run):
            tails.append(run[4:])
        if len(run) > 5:
            tails.append(run[2:])
        found.update(int(tail) for tail in tails if len(tail) <= 12)
    return found


@lru_cache(maxsize=65536)
def _pattern(number: str) -> re.Pattern[str]:
    # A blank or a sign may stand between any two letters or digits, but two digits are never torn over a wide gap.
    body = r"[^0-9A-Z]{0,3}".join(number)
    before = r"(?<!\d)" if number[0].isdigit() else r"(?<![A-Z])"
    return re.compile(f"{before}{body}(?!\\d)")


def spans(number: str, text: str) -> list[tuple[int, int]]:
    """Where a number stands in a text in capitals, with blanks and signs in between, but never within a longer one.

    >>> spans("RE202600012", "RG RE-2026-000 12 VOM 3.1.")
    [(3, 17)]
    >>> spans("RE202600012", "RE-2026-000123")
    []
    """
    return [found.span() for found in _pattern(number).finditer(text)] if number else []


def capitals(text: str) -> str:
    """The text in capitals without accents, its signs kept, as `spans` reads it."""
    plain = unicodedata.normalize("NFKD", text.upper())
    return "".join(sign for sign in plain if not unicodedata.combining(sign))


def creditor_references(text: str) -> list[str]:
    """What stands behind `RF` and its check digits in the creditor references (ISO 11649) of a text.

    >>> creditor_references("RF18 5390 0754 7034")
    ['539007547034']
    >>> creditor_references("RF19 5390 0754 7034")
    []
    """
    found: list[str] = []
    for match in _RF.finditer(capitals(text)):
        written = folded(match.group())
        # Words may follow without a sign between: the longest part whose check digits hold counts.
        for end in range(len(written), 4, -1):
            body = written[4:end]
            digits = "".join(str(int(sign, 36)) for sign in body + written[:4])
            if int(digits) % 97 == 1:
                found.append(body)
                break
    return found


def creditor_reference(number: str) -> str:
    """The creditor reference (ISO 11649) of a number of up to 21 letters and digits.

    >>> creditor_reference("5390-0754-7034")
    'RF18539007547034'
    """
    body = folded(number)[:MOST_REFERENCE]
    digits = "".join(str(int(sign, 36)) for sign in body + "RF00")
    return f"RF{98 - int(digits) % 97:02d}{body}"


@lru_cache(maxsize=65536)
def bare_name(name: str) -> str:
    """A name for comparing: its words in order of the alphabet, without legal forms.

    >>> bare_name("Müller & Söhne GmbH"), bare_name("SOEHNE MUELLER")
    ('muller sohne', 'muller sohne')
    """
    plain = unicodedata.normalize("NFKD", name.casefold().replace("ß", "ss"))
    plain = "".join(sign for sign in plain if not unicodedata.combining(sign))
    plain = re.sub(r"(?<=[a-z])([aou])e(?=[^aeiou\s])|\b([aou])e(?=[^aeiou\s])",
                   lambda m: m.group(1) or m.group(2) or "", plain)  # fmt: skip
    words = re.findall(r"[a-z0-9]+", plain)
    return " ".join(sorted([word for word in words if word not in _FORMS] or words))


@lru_cache(maxsize=65536)
def likeness(one: str, other: str) -> int:
    """How alike two names are, in percent; 100 only where nothing but order, accents and legal forms differ.

    >>> likeness("Nordlicht GmbH", "NORDLICHT"), likeness("Erika Muster", "Muster, Erika")
    (100, 100)
    >>> likeness("Nordlicht GmbH", "Südwind AG") < 50
    True
    """
    first, second = bare_name(one), bare_name(other)
    if not first or not second:
        return 0
    if first == second:
        return 100
    return min(99, round(100 * SequenceMatcher(None, first, second, autojunk=False).ratio()))


#: Of more parts than this no sum but that of the oldest is looked for: there are 2 ** parts.
MOST_PARTS: Final = 12


def exact_sum(parts: Sequence[tuple[Key, int]], total: int) -> list[Key] | None:
    """Which parts add up to the total: the first ones in order, else the only choice there is; None without one.

    >>> exact_sum([("a", 10), ("b", 20), ("c", 30)], 30)
    ['a', 'b']
    >>> exact_sum([("a", 10), ("b", 20), ("c", 35)], 55)
    ['b', 'c']
    >>> exact_sum([("a", 5), ("b", 20), ("c", 20), ("d", 7)], 27) is None
    True
    """
    reached = 0
    for count, (_, amount) in enumerate(parts, 1):
        reached += amount
        if reached == total:
            return [key for key, _ in parts[:count]]
    if len(parts) > MOST_PARTS or reached < total:
        return None
    # sum: (how many choices lead there, at most 2; one of them as bits)
    sums: dict[int, tuple[int, int]] = {0: (1, 0)}
    for bit, (_, amount) in enumerate(parts):
        for reached, (count, chosen) in list(sums.items()):
            more = reached + amount
            if more <= total:
                known = sums.get(more)
                sums[more] = (min(2, count + (known[0] if known else 0)), known[1] if known else chosen | 1 << bit)
    count, chosen = sums.get(total, (0, 0))
    return [key for bit, (key, _) in enumerate(parts) if chosen >> bit & 1] if count == 1 else None
