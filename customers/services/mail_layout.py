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
#: Characters of a link that stands alone and has no short words above it.
SHOWN_LINK: Final = 32
#: Short words that end in a colon, as HTML: what a button says.
_LABEL: Final = re.compile(r"([^<>]{1,40}?)[ \u00a0\u202f]?:")
_FRAME: Final = re.compile(r"[┌└╔╚][─═]+[┐┘╗╝]")
_RULE: Final = re.compile(r"[─═]{3,}")
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
    """Its lines in a `p`, or in a frame where the text draws one.

    A line that is a link alone becomes easy to press, under the words of the line above where these are short.
    """
    lines = [line.strip() for line in text.split("\n")]
    is_framed = len(lines) > 2 and bool(_FRAME.fullmatch(lines[0]) and _FRAME.fullmatch(lines[-1]))
    if is_framed:
        lines = lines[1:-1]
    if len(lines) == 1 and _RULE.fullmatch(lines[0]):
        return mark_safe("<hr>")
    said: list[str] = []
    for line in lines:
        if not _LINK.fullmatch(line):
            said.append(_line(line))
        elif said and (label := _LABEL.fullmatch(said[-1])):
            said[-1] = _button(line, label[1])
        else:
            said.append(_button(line, escape(_short(line))))
    tag = '<p class="frame">' if is_framed else "<p>"
    return mark_safe(tag + "<br>\n".join(said) + "</p>")  # noqa: S308  every word is escaped


def _button(link: str, label: str) -> str:
    return f'<a class="link" href="{escape(link)}">{label}</a>'


def _short(link: str) -> str:
    """The place a link leads to, without the rest of a long address."""
    place = link.partition("://")[2]
    return place if len(place) <= SHOWN_LINK else f"{place.partition('/')[0]}/…"


def _line(line: str) -> str:
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
