"""Which addresses of the network webhooks may be sent to: public ones, looked up once and used as they were checked.

The rule that matters: who sends connects to an address that `checked` gave, never to a name, so that a name that says
something else a moment later (rebinding) leads nowhere.
"""

from __future__ import annotations

import ipaddress
import queue
import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings

from core.models import Company
from core.models.webhooks import URL_LENGTH
from core.refusal import Refused

Ip = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolver = Callable[[str, int], Sequence[str]]

#: Seconds a name may take to be looked up. A resolver of its own accord tries for a minute, longer than a lease.
LOOK_UP_SECONDS = 5.0
#: Below 1024 these alone: other low ports speak other languages than HTTP.
WEB_PORTS = frozenset({80, 443})
#: Refused beside what `ipaddress` calls not global, which differs between versions of Python.
_FORBIDDEN = tuple(
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
        "224.0.0.0/4", "240.0.0.0/4",
        "168.63.129.16/32",  # a cloud's wire server, on a public address
        "::/96", "::ffff:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32",
        "2002::/16", "3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
    )
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request goes: `addresses` were checked, `host` is for SNI, the Host header and the certificate."""

    scheme: str
    host: str
    port: int
    path: str
    addresses: tuple[str, ...]

    @property
    def authority(self) -> str:
        """What the Host header says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == {"http": 80, "https": 443}[self.scheme] else f"{host}:{self.port}"


def look_up(host: str, port: int) -> Sequence[str]:
    """The addresses a name has now; `OSError` when it has none, or none in time."""
    told: queue.SimpleQueue[Sequence[str] | Exception] = queue.SimpleQueue()
    # The resolver takes no time-out: who waits for it gives up, and its thread ends when it does.
    threading.Thread(target=_look_up, args=(host, port, told), name="look-up", daemon=True).start()
    try:
        found = told.get(timeout=LOOK_UP_SECONDS)
    except queue.Empty:
        raise TimeoutError(f"{host} was not found in time") from None
    if isinstance(found, Exception):
        raise found
    return found


def _look_up(host: str, port: int, told: queue.SimpleQueue[Sequence[str] | Exception]) -> None:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    except (OSError, UnicodeError) as error:
        told.put(error)
    else:
        told.put(list(dict.fromkeys(str(entry[4][0]) for entry in found)))


def is_public(address: str) -> bool:
    """Whether an address may be sent to.

    >>> [is_public(text) for text in ("93.184.215.14", "2606:4700::6810:84e5")]
    [True, True]
    >>> [is_public(text) for text in ("10.1.2.3", "::ffff:10.1.2.3", "64:ff9b::a9fe:a9fe", "fe80::1%eth0", "1.2.3")]
    [False, False, False, False, False]
    """
    try:
        ip: Ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    if getattr(ip, "scope_id", None) or not ip.is_global or ip.is_multicast:
        return False
    return not any(ip.version == network.version and ip in network for network in _FORBIDDEN)


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def _takes_loopback(company: Company) -> bool:
    return bool(settings.WEBHOOKS_TO_LOOPBACK) and not company.is_live


def split(url: str, *, company: Company) -> tuple[str, str, int, str]:
    """Scheme, host, port and path of an address that is well formed and of an allowed scheme and port.

    Refuses `webhook.url_form`, `webhook.url_https`, `webhook.url_port`.
    """
    if len(url) > URL_LENGTH or not url.isascii() or any(letter <= " " or letter in '"<>\\^`{|}\x7f' for letter in url):
        raise Refused("webhook.url_form", field="url")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise Refused("webhook.url_form", field="url") from None
    host = parts.hostname or ""
    if parts.scheme not in ("http", "https") or not host or "@" in parts.netloc or parts.fragment:
        raise Refused("webhook.url_form", field="url")
    if parts.scheme == "http" and company.is_live:
        raise Refused("webhook.url_https", field="url")
    port = port if port is not None else (443 if parts.scheme == "https" else 80)
    if not (port in WEB_PORTS or 1024 <= port <= 65535):
        raise Refused("webhook.url_port", field="url", port=port)
    path = parts.path or "/"
    return parts.scheme, host.rstrip("."), port, f"{path}?{parts.query}" if parts.query else path


def checked(url: str, *, company: Company, resolve: Resolver | None = None) -> Target:
    """The target of an address, all of whose network addresses may be sent to.

    Refuses as `split` does, `webhook.url_unknown` when the name leads nowhere, and `webhook.url_private` when any of
    its addresses is not public: one that is mixed in is a trap, not an accident.
    """
    scheme, host, port, path = split(url, company=company)
    try:
        addresses = tuple((resolve or look_up)(host, port))
    except (OSError, UnicodeError):
        addresses = ()
    if not addresses:
        raise Refused("webhook.url_unknown", field="url", host=host)
    takes_loopback = _takes_loopback(company)
    for address in addresses:
        if not (is_public(address) or (takes_loopback and _is_loopback(address))):
            raise Refused("webhook.url_private", field="url", host=host, address=address)
    return Target(scheme, host, port, path, addresses)
