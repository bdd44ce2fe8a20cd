"""How the processes write what they do: one line an entry, for people or as JSON, with the request's or the job's id.

The rule that matters: an address that is a key (a signed link) or a person's mail never stands in a log.
"""

from __future__ import annotations

import logging
import re
from typing import Any

import structlog
from structlog.typing import EventDict, WrappedLogger

#: Ids of rows may stay: a prefix and 26 letters. Any other long part of an address may open a door.
_ID = r"[a-z]{2,5}_[0-9a-z]{26}(?=[/?\s]|$)"
_LONG_PART = re.compile(rf"/(?!{_ID})[^/?\s]{{25,}}")
_QUERY = re.compile(r"\?[^\s\"']*")
_ADDRESS = re.compile(r"[^\s@<>\"',;:=/]+@[\w.-]+\.\w+")


def veiled(text: str) -> str:
    """The text without what may not be read in a log: signed parts of addresses, queries, mail addresses.

    >>> veiled("GET /pay/eyJpIjo0Mn0:1tQ:abcdefghijklmnop?next=1")
    'GET /pay/…?…'
    >>> veiled("GET /office/invoices/inv_01h455vb4pex5vsknk084sn02q/")
    'GET /office/invoices/inv_01h455vb4pex5vsknk084sn02q/'
    >>> veiled("no mailbox ann@example.org")
    'no mailbox …@…'
    """
    return _ADDRESS.sub("…@…", _QUERY.sub("?…", _LONG_PART.sub("/…", text)))


def veil(logger: WrappedLogger, name: str, entry: EventDict) -> EventDict:
    """Veils every text of an entry."""
    for key, value in entry.items():
        if isinstance(value, str) and key not in {"timestamp", "level", "logger"}:
            entry[key] = veiled(value)
    return entry


_SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]


def logging_settings(*, level: str, form: str) -> dict[str, Any]:
    """Django's LOGGING: everything to standard error; `form` is `json` (one object a line) or `text`."""
    renderer = structlog.processors.JSONRenderer() if form == "json" else structlog.dev.ConsoleRenderer(colors=False)
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "entry": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": [*_SHARED, structlog.stdlib.ExtraAdder()],
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    structlog.processors.format_exc_info,
                    veil,
                    renderer,
                ],
            }
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "entry"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            # What a request came to is written by the entry "request_finished".
            "django.request": {"level": "ERROR"},
        },
    }


def configure() -> None:
    """Entries of structlog go the way of all others."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_SHARED,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.processors.StackInfoRenderer(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    logging.captureWarnings(True)
