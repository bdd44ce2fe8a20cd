"""The HTML beside a mail's plain text: the same words in the company's layout, with its logo and colour.

The rule that matters: the plain text is the truth. The layout adds no word, loads nothing from outside, watches
nobody, and reads well without pictures, in the light and in the dark.
"""

from __future__ import annotations

import base64
import re
from email.mime.image import MIMEImage
from typing import Final

from django.template.loader import render_to_string
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

from core.models import Company

LOGO_ID: Final = "logo"
_PICTURES: Final = {"image/png", "image/jpeg"}
_LINK: Final = re.compile(r"https?://[^\s<>\"']+[^\s<>\"'.,;:!?)\]]")


def html_of(company: Company, *, language: str, subject: str, body: str, with_logo: bool | None = None) -> str:
    """The layout around the plain text. Links can be clicked; everything else is shown as it is written."""
    paragraphs = [_paragraph(part) for part in re.split(r"\n{2,}", body.strip()) if part.strip()]
    context = {
        "company": company,
        "language": language,
        "subject": subject,
        "paragraphs": paragraphs,
        "has_logo": has_logo(company) if with_logo is None else with_logo,
        "logo": f"cid:{LOGO_ID}@turnus",
        "accent": company.accent,
        "on_accent": on_accent(company.accent),
    }
    return render_to_string("mail/layout.html", context)


def has_logo(company: Company) -> bool:
    """Whether mails can show it: mail programs draw no SVG."""
    return company.logo is not None and company.logo.media_type in _PICTURES


def logo_part(company: Company) -> MIMEImage:
    """The picture as a part of the mail, which the layout names by its id."""
    stored = company.logo
    assert stored is not None
    part = MIMEImage(bytes(stored.content), _subtype=stored.media_type.partition("/")[2])
    part.add_header("Content-ID", f"<{LOGO_ID}@turnus>")
    part.add_header("Content-Disposition", "inline", filename=stored.name)
    return part


def on_accent(accent: str) -> str:
    """White or near-black, whichever is easier to read on the colour (WCAG 2.2, relative luminance).

    >>> on_accent("#3b5bdb"), on_accent("#ffee00")
    ('#ffffff', '#16181d')
    """
    parts = [int(accent[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = (one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts)
    light = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    return "#ffffff" if 1.05 / (light + 0.05) >= (light + 0.05) / 0.058 else "#16181d"


def _paragraph(text: str) -> SafeString:
    """Its lines; a line that is a link alone becomes easy to press."""
    return mark_safe("<br>\n".join(_line(line) for line in text.split("\n")))  # noqa: S308  every word is escaped below


def _line(line: str) -> str:
    line = line.strip()
    if _LINK.fullmatch(line):
        shown = escape(line)
        return f'<a class="link" href="{shown}">{shown}</a>'
    parts, end = [], 0
    for found in _LINK.finditer(line):
        link = escape(found[0])
        parts += [escape(line[end : found.start()]), f'<a href="{link}">{link}</a>']
        end = found.end()
    return "".join(str(part) for part in (*parts, escape(line[end:])))


def shown(company: Company, *, language: str, subject: str, body: str) -> str:
    """The layout as a page, with the logo inside it."""
    html = html_of(company, language=language, subject=subject, body=body)
    if not has_logo(company):
        return html
    stored = company.logo
    assert stored is not None
    data = base64.b64encode(bytes(stored.content)).decode()
    return html.replace(f"cid:{LOGO_ID}@turnus", f"data:{stored.media_type};base64,{data}")
