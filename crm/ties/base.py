"""What every tie can do: say whether its key works, take a portion of rows, tell what was changed over there.

The rule that matters: a portion may be sent twice and changes nothing the second time, so a crash between sending and
noting it doubles nothing; no row counts as sent before the other system said so.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, ClassVar, Final, Literal

import requests

#: Seconds to connect, and to wait for an answer.
TIMEOUT: Final = (5.0, 30.0)
USER_AGENT: Final = "Turnus-Ties/1.0"
#: Seconds to wait where the other system says "too many" without saying for how long; the longest wait.
WAIT: Final = 60
LONGEST_WAIT: Final = 86_400

#: Values of a person that may be changed on both sides.
SHARED: Final = ("name", "phone")

#: on: may get advertising; off: must get none; out: leaves the list, without a word on advertising; kept: is known, as
#: a system of record keeps people who get no advertising.
Wanted = Literal["on", "off", "out", "kept"]


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One row to be sent. `values` by our names; `was` is its state so far, empty for a new one.

    `company_key` and `person_key` name the rows it belongs to, where the system has such. `shared` are values that may
    be changed over there, too: any of `SHARED`.
    """

    kind: str
    key: str
    customer_id: int
    wanted: Wanted
    values: Mapping[str, str]
    marks: tuple[str, ...] = ()
    was: str = ""
    external_id: str = ""
    company_key: str = ""
    person_key: str = ""
    shared: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of a row: its id over there, or why it was refused."""

    kind: str
    key: str
    external_id: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class Pushed:
    """What became of a portion. With `waits_for` the other system works on it still: ask `finished` later."""

    rows: Sequence[Sent]
    waits_for: str = ""


@dataclass(frozen=True, slots=True)
class Left:
    """An address that gets no more advertising, as the other system says; `at` is the instant, as it writes it."""

    address: str
    at: str
    words: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True)
class Theirs:
    """A person as they stand over there. `at` is the instant of their last change, `made_at` of their making.

    `id` stays when the address changes. `shared`: any of `SHARED`, those it has. `lists`: lists and tags that are none
    of ours, `says_lists` whether it says them. `is_in`: on our list and not unsubscribed; None where nothing is said of
    it. `line`: of a file, else 0.
    """

    address: str
    at: str
    id: str = ""
    made_at: str = ""
    shared: Mapping[str, str] = field(default_factory=dict)
    company: str = ""
    lists: tuple[str, ...] = ()
    says_lists: bool = True
    is_in: bool | None = True
    is_off: bool = False
    new_address: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True)
class Unread:
    """A line of a file that can't be read: `code` is a refusal's."""

    line: int
    code: str
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Heard:
    """Changes over there since a cursor; `cursor` is where to go on, `more` whether to ask again at once.

    `file`: the id of the file they stand in, else 0.
    """

    left: Sequence[Left]
    cursor: str
    more: bool = False
    people: Sequence[Theirs] = ()
    unread: Sequence[Unread] = ()
    file: int = 0


class TieFailed(Exception):
    """The other system can't be used now; the message says why, in its words. Nothing is known to be sent."""


class WrongKey(TieFailed):
    """It doesn't take our key, or the key may not do this."""


class ListUnknown(TieFailed):
    """The list or audience isn't there."""


class NoAnswer(TieFailed):
    """It can't be reached or failed by itself; later it may work."""


class Throttled(TieFailed):
    """Too many requests: come back after `seconds`."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"{seconds} s")
        self.seconds = max(1, min(seconds, LONGEST_WAIT))


@dataclass(frozen=True, slots=True)
class Place:
    """How far changes were heard of a system that gives them by pages since an instant; a cursor in three parts.

    `offset` rows of the question since `since` were read, and the latest change among them was at `latest`.

    >>> Place.of("2026-05-02T16:40:31.000Z|1000|"), str(Place("", 1000, "2026")), str(Place("2026"))
    (Place(since='2026-05-02T16:40:31.000Z', offset=1000, latest=''), '|1000|2026', '2026||')
    """

    since: str = ""
    offset: int = 0
    latest: str = ""

    @classmethod
    def of(cls, cursor: str) -> Place:
        since, offset, latest = (cursor.split("|") + ["", "", ""])[:3]
        return cls(since, int(offset or 0), latest)

    def __str__(self) -> str:
        return f"{self.since}|{self.offset or ''}|{self.latest}"


@dataclass(frozen=True, slots=True)
class Incoming:
    """A file that somebody gave in, oldest first."""

    id: int
    content: Callable[[], bytes]
    given_at: str


@dataclass(frozen=True, slots=True)
class Account:
    """What a connection needs: the open key, the list, the address it is reached at (empty: its own).

    `inbox` are the files to be read, of a system that speaks by files.
    """

    secret: str
    audience: str = ""
    address: str = ""
    marks: Sequence[str] = field(default_factory=tuple)
    is_two_way: bool = False
    inbox: Sequence[Incoming] = ()


class Connection(ABC):
    """One account of one system, ready to talk."""

    kind: ClassVar[str]
    #: Which rows it takes, in the order in which they are sent.
    takes: ClassVar[tuple[str, ...]] = ("person",)
    #: Whether it keeps people who get no advertising, too.
    keeps_everybody: ClassVar[bool] = False
    #: Whether it says who unsubscribed there.
    hears: ClassVar[bool] = True
    #: Rows of one portion.
    portion: ClassVar[int] = 500

    def __init__(self, account: Account) -> None:
        self.account = account
        #: Ids over there of companies and people that rows of a portion belong to, by kind and key.
        self.ids: dict[tuple[str, str], str] = {}

    @abstractmethod
    def check(self) -> str:
        """Whether key and list work; the name of the account. Raises `TieFailed`; changes nothing over there."""

    def prepare(self) -> None:  # noqa: B027  most have nothing to prepare
        """Makes the fields we fill, where they are missing. Called when a round begins."""

    @abstractmethod
    def push(self, rows: Sequence[Outgoing]) -> Pushed:
        """Sends a portion; every row of it is answered. Raises `TieFailed`."""

    def kept(self, row: Outgoing) -> dict[str, Any]:
        """What is kept here of a row that was sent: what both sides may change, to know who did."""
        return dict(row.shared)

    @abstractmethod
    def forget(self, rows: Sequence[Outgoing]) -> None:
        """Deletes these over there for good, as somebody's erasure asks; who isn't there is well. Raises `TieFailed`.

        Called again after a crash in its middle. Whose address was changed over there is found by the id.
        """

    def finished(self, waits_for: str) -> bool | None:
        """Whether work from an earlier `push` is done; None where it failed and has to be sent again."""
        return True

    def hear(self, cursor: str) -> Heard:
        """Who unsubscribed since the cursor, in portions. Raises `TieFailed`."""
        return Heard([], cursor)


_kinds: dict[str, type[Connection]] = {}


def connection(cls: type[Connection]) -> type[Connection]:
    """Registers a system under its kind."""
    _kinds[cls.kind] = cls
    return cls


def of_kind(kind: str) -> type[Connection]:
    """The class of a kind; `KeyError` for one that isn't there."""
    return _kinds[kind]


def kinds() -> frozenset[str]:
    """The kinds there are."""
    return frozenset(_kinds)


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of the other system: 2xx, or a status the caller said it can read."""

    status: int
    body: Any
    headers: Mapping[str, str]


class Http:
    """JSON over HTTPS to one address, without redirects; failures come as `TieFailed`.

    `wait_of` reads from the headers of a 429 how many seconds to wait, `words_of` an error's words from its body.
    """

    def __init__(
        self, base: str, headers: Mapping[str, str], *,
        wait_of: Callable[[Mapping[str, str]], int | None], words_of: Callable[[Any], str],
    ) -> None:  # fmt: skip
        self.base, self.wait_of, self.words_of = base.rstrip("/"), wait_of, words_of
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.headers.update({"Accept": "application/json", "User-Agent": USER_AGENT, **headers})

    def ask(
        self, method: str, path: str, body: Any = None, *, query: Mapping[str, Any] | None = None,
        reads: tuple[int, ...] = (),
    ) -> Reply:  # fmt: skip
        """One request. Statuses in `reads` are answers, too; other failures raise."""
        try:
            response = self.session.request(
                method, self.base + path, json=body, params=query, timeout=TIMEOUT, allow_redirects=False
            )
        except requests.RequestException as error:
            raise NoAnswer(type(error).__name__) from error
        try:
            found = response.json() if response.content else None
        except requests.JSONDecodeError:
            found = None
        status = response.status_code
        if 200 <= status < 300 or status in reads:
            return Reply(status, found, response.headers)
        if status == 429:
            raise Throttled(self.wait_of(response.headers) or WAIT)
        words = (self.words_of(found) or response.reason or "")[:300]
        if status in (401, 403):
            raise WrongKey(words)
        if status >= 500:
            raise NoAnswer(f"HTTP {status} {words}".strip())
        raise TieFailed(f"HTTP {status} {words}".strip())


def utc(text: str) -> str:
    """An instant as others write it, in one form that sorts.

    >>> utc("2026-05-02T18:40:31.25+02:00"), utc("2026-05-02T16:40:31Z")
    ('2026-05-02T16:40:31.250Z', '2026-05-02T16:40:31.000Z')
    """
    found = datetime.fromisoformat(text).astimezone(UTC)
    return found.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def split_name(name: str) -> tuple[str, str]:
    """First and last name, such that joined they are the same name again.

    >>> split_name("Ada  King Byron"), split_name("Ada")
    (('Ada King', 'Byron'), ('Ada', ''))
    """
    first, _, last = " ".join(name.split()).rpartition(" ")
    return (first, last) if first else (last, "")


def shared_fields(row: Outgoing, *, first: str, last: str, phone: str) -> dict[str, str]:
    """What both sides may change, under the names of the system's fields; none where nothing is shared."""
    found = dict(zip((first, last), split_name(row.shared["name"]), strict=True)) if "name" in row.shared else {}
    return found | ({phone: row.shared["phone"]} if "phone" in row.shared else {})


def joined_name(first: object, last: object) -> str:
    """A name of its two parts; either may be missing."""
    return " ".join(f"{first or ''} {last or ''}".split())


def retry_after(headers: Mapping[str, str]) -> int | None:
    """Seconds that `Retry-After` says, where it says them as a number."""
    text = headers.get("retry-after", "").strip()
    return int(text) if text.isdecimal() else None
