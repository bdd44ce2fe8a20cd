"""A company's own accent colour, made safe: whatever it picks, text on it and text in it stay readable.

Pure arithmetic (WCAG 2.2 relative luminance); `stylesheet` is what the portal's theme address answers.
"""

from __future__ import annotations

import re

_HEX = re.compile(r"#[0-9a-fA-F]{6}")
LIGHT_SURFACE = "#ffffff"
DARK_SURFACE = "#181c20"
# The grounds a link may stand on that leave it the least contrast: --hover of the tokens, day and night.
LIGHT_LEAST = "#eef0f3"
DARK_LEAST = "#23292f"
READABLE = 4.5


def _channels(colour: str) -> tuple[int, int, int]:
    if not _HEX.fullmatch(colour):
        raise ValueError(f"not a colour like #2b4fc4: {colour!r}")
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def luminance(colour: str) -> float:
    """Relative luminance of `#rrggbb`, 0 (black) to 1 (white), as WCAG 2.2 defines it."""
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in (channel / 255 for channel in _channels(colour))
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """Contrast of two `#rrggbb` colours, 1 to 21.

    >>> contrast("#ffffff", "#000000")
    21.0
    """
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def mix(colour: str, other: str, share: float) -> str:
    """`share` (0 to 1) of `other` mixed into `colour`.

    >>> mix("#000000", "#ffffff", 0.5)
    '#808080'
    """
    pairs = zip(_channels(colour), _channels(other), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in pairs)


def readable(colour: str, on: str, *, least: float = READABLE) -> str:
    """`colour`, moved towards black or white only as far as text in it needs on the ground `on`."""
    goal = "#000000" if luminance(on) > 0.18 else "#ffffff"
    for step in range(101):
        candidate = mix(colour, goal, step / 100)
        if contrast(candidate, on) >= least:
            return candidate
    return goal


def text_on(fill: str) -> str:
    """White or black, whichever reads better on `fill`; one of them always reaches 4.5:1."""
    return max(("#ffffff", "#000000"), key=lambda ink: contrast(ink, fill))


def stylesheet(accent: str) -> str:
    """The CSS that lays a company's `accent` (`#rrggbb`) over the design tokens, for day and night."""
    soft_day, soft_night = mix(accent, LIGHT_SURFACE, 0.9), mix(accent, DARK_SURFACE, 0.78)
    ink_day = readable(readable(accent, LIGHT_LEAST), soft_day)
    ink_night = readable(readable(accent, DARK_LEAST), soft_night)
    on_fill = text_on(accent)
    away = "#000000" if on_fill == "#ffffff" else "#ffffff"
    return (
        ":root{"
        f"--accent:light-dark({ink_day},{ink_night});"
        f"--accent-fill:{accent};--accent-fill-hover:{mix(accent, away, 0.12)};--on-accent:{on_fill};"
        f"--accent-soft:light-dark({soft_day},{soft_night});"
        f"--focus:light-dark({ink_day},{ink_night})"
        "}\n"
    )
