"""Moving those that hold another version of a price to this one: who moves when, who is left and why, then the act."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from backoffice import previewing
from backoffice.acting import actor, done, found, now, own
from backoffice.forms.fields import DayField
from backoffice.forms.sections import SectionedForm
from backoffice.pages import crumbs
from backoffice.previewing import Shown
from backoffice.views.products import named
from billing.services import acts_versions, mailing
from catalog.models import Price
from core.rights import needs
from subscriptions.models import Change

#: Rows of each kind that the page names; the counts are whole.
SHOWN = 50


class MoveForm(SectionedForm):
    effective_on = DayField(
        label=gettext_lazy("First day"),
        required=False,
        help_text=gettext_lazy("Empty: each with its next period, after its minimum term."),
    )
    reason = forms.CharField(label=gettext_lazy("Reason"), required=False, max_length=500)


@needs("subscription.change")
def move(request: HttpRequest, ref: str) -> HttpResponse:
    price = found(own(request, Price).select_related("item__plan", "item__product"), ref)
    plan = price.item.plan
    back = reverse("backoffice:plan", args=[plan.ref])
    given: dict[str, Any] = {"company": request.company, "price": price, "by": actor(request), "at": now(request)}

    def preview(values: dict[str, Any]) -> Shown:
        seen = acts_versions.preview_versions(**given, **values)
        context["moved"], context["skipped"] = seen.moved.changed[:SHOWN], seen.moved.skipped[:SHOWN]
        context["moved_count"], context["skipped_count"] = len(seen.moved.changed), len(seen.moved.skipped)
        at_once = [one for one in seen.moved.changed if one.change.status == Change.Status.DONE]
        billed = {one.subscription.customer_id: one.subscription.customer for one in at_once}.values()
        total = sum(document.gross for document in seen.documents)
        return Shown(
            rows=[],
            currency=price.currency,
            now_minor=total,
            now_note="",
            mails=[
                _("To %(address)s, with the document") % {"address": address}
                for customer in (billed if seen.documents else ())
                for address in mailing.recipients_of(customer)
            ],
            documents=seen.documents,
            token=seen.token,
            sum_minor=total,
        )

    def do(values: dict[str, Any], token: str) -> HttpResponse:
        moved = acts_versions.move_versions(**given, **values, preview_token=token)
        count = len(moved.changed)
        said = ngettext("%(count)s subscription is moved.", "%(count)s subscriptions are moved.", count)
        return done(request, said % {"count": count}, back)

    title = _("Move subscriptions to version %(version)s") % {"version": price.version}
    context: dict[str, Any] = {
        "title": title,
        "crumbs": crumbs((_("Plans"), reverse("backoffice:plans")), (named(request, plan.name), back), (title, "")),
        "lead": named(request, price.item.product.name),
        "act": _("Move"),
        "back": back,
        "seen_template": "office/catalog/moves.html",
    }
    form = MoveForm(request.POST or None)
    return previewing.act_page(request, form=form, preview=preview, do=do, context=context)
