"""The page of an act on a subscription: the form with its preview, then the act with that preview's token.

Every such page is drawn here; a view brings the form, the act and the words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from backoffice import previewing
from backoffice.acting import done
from backoffice.pages import crumbs
from backoffice.previewing import Shown
from billing.services import previews
from billing.services.acting import ActResult
from billing.services.previews import Preview
from subscriptions.models import Subscription

#: Gets the cleaned values and the token of what was shown, or None to show it.
Act = Callable[[dict[str, Any], str | None], ActResult]


def act_page(
    request: HttpRequest,
    subscription: Subscription,
    form: forms.Form,
    act: Act,
    *,
    title: str,
    told: str | Callable[[ActResult], str],
    button: str = "",
    tone: str = "",
    shown: Callable[[Preview], Shown] | None = None,
    template: str = "act",
    more: Mapping[str, Any] | None = None,
) -> HttpResponse:
    """Previews and does the act. `told`: said once it is done; `button`: its words, the title unless given; `shown`:
    draws the preview; `more`: what the template needs beside."""
    back = reverse("backoffice:subscription", args=[subscription.ref])
    before = subscription.ends_on

    def preview(values: dict[str, Any]) -> Shown:
        seen = previews.preview(lambda: act(values, None))
        return previewing.of_agreement(seen, before_end=before) if shown is None else shown(seen)

    def do(values: dict[str, Any], token: str) -> HttpResponse:
        result = act(values, token)
        return done(request, told if isinstance(told, str) else told(result), back)

    context = {
        "title": title,
        "crumbs": above(subscription, button or title),
        "lead": subscription.name,
        "act": button or title,
        "tone": tone,
        "back": back,
        **(more or {}),
    }
    return previewing.act_page(request, form=form, preview=preview, do=do, context=context, template=template)


def above(subscription: Subscription, title: str) -> Any:
    """The way to a page of a subscription."""
    return crumbs(
        (_("Subscriptions"), reverse("backoffice:subscriptions")),
        (subscription.customer.name, reverse("backoffice:customer", args=[subscription.customer.ref])),
        (subscription.number, reverse("backoffice:subscription", args=[subscription.ref])),
        (title, ""),
    )
