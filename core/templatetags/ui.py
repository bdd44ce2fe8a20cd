"""The words templates are written with: parts, icons, amounts, days, states, addresses.

`{% part "card" title=… %}body{% fill actions %}…{% endfill %}{% endpart %}` draws `templates/parts/card.html`;
`{% part "empty" title=… / %}` is the same without a body. A part sees its own parameters only.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django import template
from django.http import QueryDict
from django.template.base import FilterExpression, NodeList, Parser, Token, token_kwargs
from django.templatetags.static import static
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from core.actors import actor_words
from core.design import formats
from core.design.states import look_of

register = template.Library()

# What every part may see beside its parameters: the page it stands on, never a view's variables.
SHELL = ("request", "csrf_token", "user", "theme", "language_choices", "LANGUAGE_CODE")


class FillNode(template.Node):
    def __init__(self, name: str, nodelist: NodeList) -> None:
        self.name = name
        self.nodelist = nodelist

    def render(self, context: template.Context) -> str:
        return ""  # Drawn by the part it belongs to.


class PartNode(template.Node):
    child_nodelists = ("nodelist",)

    def __init__(self, name: FilterExpression, values: dict[str, FilterExpression], nodelist: NodeList) -> None:
        self.name = name
        self.values = values
        self.nodelist = nodelist
        self.fills = [node for node in nodelist if isinstance(node, FillNode)]

    def render(self, context: template.Context) -> SafeString:
        values: dict[str, Any] = {key: value.resolve(context) for key, value in self.values.items()}
        values["slot"] = mark_safe(self.nodelist.render(context).strip())  # noqa: S308 - already escaped
        for fill in self.fills:
            values[fill.name] = mark_safe(fill.nodelist.render(context).strip())  # noqa: S308 - already escaped
        shell = {key: context[key] for key in SHELL if key in context}
        assert context.template is not None
        drawn = context.template.engine.get_template(f"parts/{self.name.resolve(context)}.html")
        return drawn.render(context.new({**shell, **values}))


@register.tag
def part(parser: Parser, token: Token) -> PartNode:
    """`{% part NAME key=value … %}…{% endpart %}`, or `{% part NAME key=value … / %}` without a body."""
    bits = token.split_contents()[1:]
    closed = bool(bits) and bits[-1] == "/"
    if closed:
        bits.pop()
    if not bits:
        raise template.TemplateSyntaxError("part needs the name of a part")
    name = parser.compile_filter(bits.pop(0))
    values = token_kwargs(bits, parser)
    if bits:
        raise template.TemplateSyntaxError(f"part takes key=value only, not {bits[0]!r}")
    nodelist = NodeList()
    if not closed:
        nodelist = parser.parse(("endpart",))
        parser.delete_first_token()
    return PartNode(name, values, nodelist)


@register.tag
def fill(parser: Parser, token: Token) -> FillNode:
    """`{% fill actions %}…{% endfill %}` inside a part: hands the part a named piece of HTML."""
    bits = token.split_contents()
    if len(bits) != 2:
        raise template.TemplateSyntaxError("fill needs exactly one name")
    nodelist = parser.parse(("endfill",))
    parser.delete_first_token()
    return FillNode(bits[1].strip("\"'"), nodelist)


@register.simple_tag
def icon(name: str, label: str = "", size: str = "") -> SafeString:
    """An icon of the sprite; decoration unless `label` names it. `size` is sm or lg."""
    address = f"{static('icons.svg')}#{name}"
    css = f"icon icon--{size}" if size else "icon"
    if label:
        return format_html(
            '<svg class="{}" role="img" aria-label="{}"><use href="{}"></use></svg>', css, label, address
        )
    return format_html('<svg class="{}" aria-hidden="true"><use href="{}"></use></svg>', css, address)


@register.simple_tag
def money(amount: Any, currency: str = "", signed: bool = False) -> SafeString:
    """`{% money 11900 "EUR" %}` or `{% money total %}` with a Money: the amount by locale, never wrapped.

    Nothing (None or "") shows a dash.
    """
    if amount is None or amount == "":
        return mark_safe('<span class="money">–</span>')
    if not currency:
        amount, currency = amount.minor, amount.currency
    return format_html('<span class="money">{}</span>', formats.money(int(amount), currency, signed=signed))


@register.simple_tag
def money_text(amount: Any, currency: str = "", signed: bool = False) -> str:
    """The same amount as bare text, for titles, attributes and sentences."""
    if not currency:
        amount, currency = amount.minor, amount.currency
    return formats.money(int(amount), currency, signed=signed)


@register.simple_tag
def number(value: int | Decimal | None) -> str:
    """A count or quantity with the locale's grouping; nothing shows a dash."""
    return "–" if value is None or value == "" else formats.number(value)


@register.simple_tag
def percent(ratio: Decimal | float | None, places: int = 1) -> str:
    """A ratio (0.012) as per cent by locale; nothing shows a dash."""
    return "–" if ratio is None or ratio == "" else formats.percent(ratio, places=places)


@register.simple_tag
def day(value: dt.date | None, style: str = "medium") -> SafeString:
    """`{% day invoice.due_on %}`: a <time> with the ISO day inside; nothing shows a dash."""
    if not value:
        return mark_safe("–")
    if isinstance(value, dt.datetime):
        value = formats.local(value).date()
    return format_html('<time datetime="{}">{}</time>', value.isoformat(), formats.day(value, style=style))


@register.simple_tag
def instant(value: dt.datetime | None, style: str = "medium") -> SafeString:
    """`{% instant event.at %}`: a <time> to the minute in the active zone; nothing shows a dash."""
    if not value:
        return mark_safe("–")
    iso = formats.local(value).isoformat(timespec="seconds")
    return format_html('<time datetime="{}">{}</time>', iso, formats.instant(value, style=style))


@register.simple_tag
def badge(
    state: str = "", word: str | Promise | None = None, tone: str | None = None, icon_name: str | None = None
) -> SafeString:
    """`{% badge invoice.state %}`: word, colour and icon of a state; `word`, `tone`, `icon_name` overrule."""
    if not state and not word:
        return mark_safe("")
    look = look_of(str(state) or "none")
    return format_html(
        '<span class="badge badge--{}">{}{}</span>',
        tone or look.tone,
        icon(icon_name or look.icon, size="sm"),
        word or look.word,
    )


@register.simple_tag(takes_context=True)
def url_with(context: template.Context, **changes: Any) -> str:
    """The present address with some of its parameters changed: `{% url_with status="paid" after=None %}`.

    None or "" takes a parameter out; a list gives it several values.
    """
    query: QueryDict = context["request"].GET.copy()
    for key, value in changes.items():
        if value is None or value == "":
            query.pop(key, None)
        elif isinstance(value, list | tuple | set):
            query.setlist(key, [str(item) for item in value])
        else:
            query[key] = str(value)
    return "?" + query.urlencode()


@register.simple_tag(takes_context=True)
def query_fields(context: template.Context, *without: str) -> SafeString:
    """Hidden inputs for the present address's parameters, so a search form keeps filters; names given are left out."""
    query: QueryDict = context["request"].GET
    fields = [
        format_html('<input type="hidden" name="{}" value="{}">', key, value)
        for key, values in query.lists()
        if key not in without
        for value in values
    ]
    return mark_safe("".join(fields))  # noqa: S308 - built by format_html


@register.filter
def own_first(amounts: Any, company: Any) -> list[Any]:
    """Amounts by currency, a mapping or rows that begin with it: the company's own currency before the others."""
    rows = amounts.items() if isinstance(amounts, Mapping) else amounts
    return sorted(rows, key=lambda row: company.currency_rank(row[0]))


@register.filter
def actor(label: Any) -> str:
    """Who did it, as it was written down; the machine's own names in the reader's language."""
    return actor_words(str(label or ""))


@register.filter
def initials(name: Any) -> str:
    """At most two letters for an avatar: "Ada Lovelace" is AL, an address its first letter."""
    words = [word for word in str(name or "").replace("@", " ").replace(".", " ").split() if word[0].isalnum()]
    if not words:
        return "?"
    if "@" in str(name) or len(words) == 1:
        return words[0][0].upper()
    return (words[0][0] + words[-1][0]).upper()


@register.filter
def tone_of(state: Any) -> str:
    """The tone of a state, for what is coloured beside its badge."""
    return look_of(str(state)).tone
