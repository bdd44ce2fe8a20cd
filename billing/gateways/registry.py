"""Which class talks to which kind of provider."""

from __future__ import annotations

from collections.abc import Callable

from billing.gateways.base import Gateway

_connections: dict[str, type[Gateway]] = {}


def connection(kind: str) -> Callable[[type[Gateway]], type[Gateway]]:
    """Registers the class that talks to providers of this kind."""

    def register(found: type[Gateway]) -> type[Gateway]:
        _connections[kind] = found
        return found

    return register


def of_kind(kind: str) -> type[Gateway]:
    """The class for a kind; KeyError for one that nobody registered."""
    return _connections[kind]
