"""Prints HTML as PDF with WeasyPrint; fonts and style sheets are loaded once per process.

A document may load nothing but its own logo: no file, no address. The same HTML gives the same bytes.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from django.conf import settings
from django.template.loader import get_template
from weasyprint import CSS, HTML
from weasyprint.text.fonts import FontConfiguration
from weasyprint.urls import URLFetcher, URLFetcherResponse

TEMPLATES = settings.BASE_DIR / "templates" / "documents"
# WeasyPrint and Pango share state between renders of one font configuration.
_one_at_a_time = threading.Lock()


class OnlyTheLogo(URLFetcher):  # type: ignore[misc]
    """Answers the address `logo:` from memory and refuses every other."""

    logo: bytes | None = None

    def fetch(self, url: str, headers: Any = None) -> URLFetcherResponse:
        if url == "logo:" and self.logo is not None:
            return URLFetcherResponse(url, self.logo)
        raise ValueError(f"a document may not load {url}")


@cache
def _fetcher() -> OnlyTheLogo:
    return OnlyTheLogo()


@cache
def _fonts() -> FontConfiguration:
    configuration = FontConfiguration()
    CSS(
        string=(TEMPLATES / "fonts.css").read_text(encoding="utf-8"),
        base_url=(settings.BASE_DIR / "static").as_uri() + "/",
        font_config=configuration,
    )
    return configuration


@cache
def _style(template: str) -> CSS:
    return CSS(string=(TEMPLATES / template / "document.css").read_text(encoding="utf-8"), font_config=_fonts())


def templates() -> list[str]:
    """The layouts there are; an old one stays for the documents that name it."""
    return sorted(folder.name for folder in TEMPLATES.iterdir() if (folder / "document.html").exists())


def html_of(template: str, sheet: dict[str, Any]) -> str:
    return str(get_template(f"documents/{template}/document.html").render(sheet))


def pdf_of(html: str, *, template: str, identifier: bytes, logo: bytes | None = None) -> bytes:
    """The PDF of one document. `identifier` names it inside the file."""
    with _one_at_a_time, _without_collecting():
        return _printed(html, template, identifier, logo)


def _printed(html: str, template: str, identifier: bytes, logo: bytes | None) -> bytes:
    fetcher = _fetcher()
    fetcher.logo = logo
    page = HTML(string=html, base_url="about:blank", url_fetcher=fetcher)
    rendered = page.render(font_config=_fonts(), stylesheets=[_style(template)])
    # Tagged: screen readers find headings, tables and their reading order.
    return bytes(rendered.write_pdf(pdf_identifier=identifier, pdf_tags=True))


@contextmanager
def _without_collecting() -> Iterator[None]:
    """No garbage collection in between: a layout makes many objects that all live to its end. Then they go at once.

    Left to the collector, they would wait for it by the dozen. What the engine loaded is never looked through again,
    so a round takes a few milliseconds.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
        gc.collect()
        _keep()


@cache
def _keep() -> None:
    gc.freeze()
