"""The frame of the hosted pages: plain HTML, no script, readable on a telephone. Everything shown is escaped here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape

from standins.providers.wire import Answer

STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
body { max-width: 26rem; margin: 2rem auto; padding: 0 1rem }
label { display: block; margin: .8rem 0 .2rem }
input, select, button { font: inherit; padding: .6rem; width: 100%; box-sizing: border-box }
button { margin-top: 1rem; cursor: pointer }
.wrong { border-left: .3rem solid #b00020; padding: .3rem .8rem }
.note { opacity: .75; font-size: .9rem }
dl { display: grid; grid-template-columns: auto 1fr; gap: .2rem 1rem }
dd { margin: 0; text-align: right }
"""


def page(title: str, body: str, status: int = 200) -> Answer:
    """One page. `body` is HTML that was made here; `title` is text."""
    html = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head>'
        f'<body><main><h1>{escape(title)}</h1>{body}<p class="note">A stand-in for tests and demonstrations.'
        " No real money moves here.</p></main></body></html>"
    )
    policy = "default-src 'none'; style-src 'unsafe-inline'; form-action *"
    return Answer(status, html, {"Content-Security-Policy": policy, "Cache-Control": "no-store"})


def go(where: str) -> Answer:
    """Send the browser elsewhere, by GET."""
    return Answer(303, "", {"Location": where})


def facts(rows: Iterable[tuple[str, str]]) -> str:
    """A list of names and values."""
    return "<dl>" + "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in rows) + "</dl>"


def field(name: str, label: str, value: str = "", hint: str = "", kind: str = "text") -> str:
    """One labelled input of a form."""
    return (
        f'<label for="{escape(name)}">{escape(label)}</label>'
        f'<input id="{escape(name)}" name="{escape(name)}" type="{kind}" value="{escape(value)}"'
        f' placeholder="{escape(hint)}" autocomplete="off">'
    )


def form(action: str, inside: str, button: str, hidden: Mapping[str, str] | None = None) -> str:
    """A form that posts; `inside` is HTML made here."""
    kept = "".join(f'<input type="hidden" name="{escape(n)}" value="{escape(v)}">' for n, v in (hidden or {}).items())
    return f'<form method="post" action="{escape(action)}">{kept}{inside}<button>{escape(button)}</button></form>'


def wrong(message: str) -> str:
    """What went wrong, in words; nothing for an empty message."""
    return f'<p class="wrong" role="alert">{escape(message)}</p>' if message else ""


def money(amount: int, currency: str) -> str:
    """An amount in minor units for reading."""
    places = 0 if currency.lower() in ("jpy", "krw", "clp", "vnd", "isk") else 2
    return f"{amount / 10**places:,.{places}f} {currency.upper()}"
