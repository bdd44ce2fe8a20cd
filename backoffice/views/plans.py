"""Plans: templates with their items, price versions and rules; put on sale and retired."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import Any

from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from backoffice.acting import actor, done, found, now, own, show_refusal, tells_refusals, today
from backoffice.forms.catalog import NewPlanForm, PlanForm, PlanItemForm, PriceForm
from backoffice.forms.pricing import initial_of
from backoffice.forms.sections import SectionedForm
from backoffice.lists import listing, tabs_of
from backoffice.pages import crumbs, page
from backoffice.views.products import named
from billing.documents.price_words import has_amount, rows_of
from catalog.models import Plan, PlanItem, Price
from catalog.services import plans as verbs
from core.models import Company
from core.refusal import Refused
from core.rights import needs
from crm.services import law_table
from subscriptions.models import Subscription

STATES = (
    ("", gettext_lazy("All")),
    ("on_sale", gettext_lazy("On sale")),
    ("draft", gettext_lazy("Drafts")),
    ("retired", gettext_lazy("Retired")),
)
RUNNING = ("pending", "trial", "active", "paused", "suspended")


@needs("catalog.read")
def index(request: HttpRequest) -> HttpResponse:
    q, state = request.GET.get("q", "").replace("\0", ""), request.GET.get("state", "")
    rows = own(request, Plan)
    if state in dict(STATES) and state:
        rows = rows.filter(status=state)
    if q.strip():
        rows = rows.filter(Q(code__icontains=q.strip()) | Q(name__icontains=q.strip()))
    listed = listing(request, rows, sorts={"code": "code", "created": "pk"}, default="code", q=q)
    listed.tabs = tabs_of(request, "state", STATES, state)
    ids = [row.pk for row in listed.rows]
    prices: dict[int, list[Price]] = defaultdict(list)
    for price in _on_sale(request, ids):
        prices[price.item.plan_id].append(price)
    running = dict(
        Subscription.objects.filter(company=request.company, plan_id__in=ids, state__in=RUNNING)
        .values_list("plan_id")
        .annotate(Count("id"))
    )
    for row in listed.rows:
        row.shown_name = named(request, row.name)
        row.sold_at, row.running = prices.get(row.pk, []), running.get(row.pk, 0)
    return page(request, "catalog/plans", {"title": _("Plans"), "list": listed})


def _on_sale(request: HttpRequest, plan_ids: list[int]) -> list[Price]:
    """The newest version valid today, by item and currency."""
    rows = (
        Price.objects.filter(item__plan_id__in=plan_ids, item__archived_at__isnull=True, valid_from__lte=today(request))
        .select_related("item__product")
        .order_by("item_id", "currency", "-valid_from")
        .distinct("item_id", "currency")
    )
    return sorted(rows, key=lambda price: (price.item.position, request.company.currency_rank(price.currency)))


def _form(request: HttpRequest, form: SectionedForm, title: str, back: str, *above: tuple[str, str]) -> HttpResponse:
    trail = crumbs((_("Plans"), reverse("backoffice:plans")), *above, (title, ""))
    context = {"title": title, "crumbs": trail, "form": form, "back": back}
    return page(request, "form", context, status=422 if form.errors else 200)


@needs("catalog.write")
def create(request: HttpRequest) -> HttpResponse:
    form = NewPlanForm(request.POST or None, company=request.company, on=today(request))
    if request.method == "POST" and form.is_valid():
        try:
            plan = verbs.create_plan(
                company=request.company,
                **form.values(),
                items=[form.item()],
                rules=form.rules(),
                status="on_sale" if form.cleaned_data["on_sale"] else "draft",
                by=actor(request),
                at=now(request),
            )
        except Refused as refused:
            show_refusal(form, refused)
        else:
            return done(request, _("The plan %(code)s is made.") % {"code": plan.code}, "plan", plan.ref)
    return _form(request, form, _("New plan"), reverse("backoffice:plans"))


@needs("catalog.write")
def edit(request: HttpRequest, ref: str) -> HttpResponse:
    plan = found(own(request, Plan), ref)
    back = reverse("backoffice:plan", args=[ref])
    form = PlanForm(request.POST or None, company=request.company, initial=PlanForm.initial_of(plan))
    if request.method == "POST" and form.is_valid():
        try:
            changes = form.values() | form.rules()
            verbs.update_plan(plan=plan, changes=changes, by=actor(request), at=now(request))
        except Refused as refused:
            show_refusal(form, refused)
        else:
            return done(request, _("The changes hold for new sales; what runs keeps what was agreed."), back)
    return _form(request, form, _("Edit plan"), back, (named(request, plan.name), back))


@needs("catalog.read")
def detail(request: HttpRequest, ref: str) -> HttpResponse:
    plan = found(own(request, Plan), ref)
    items = list(plan.items.select_related("product", "meter").prefetch_related("prices"))
    on = today(request)
    for item in items:
        item.shown_name = named(request, item.product.name)  # type: ignore[attr-defined]
        item.versions = _versions(item, request.company, on)  # type: ignore[attr-defined]
    title = named(request, plan.name)
    running = own(request, Subscription).filter(plan=plan, state__in=RUNNING).count()
    context = {
        "title": title,
        "crumbs": crumbs((_("Plans"), reverse("backoffice:plans")), (title, "")),
        "plan": plan,
        "items": items,
        "running": running,
        "minimums": [(code, Decimal(least)) for code, least in plan.minimum_amounts.items()],
        "description": named(request, plan.description or {}),
        "terms_text": named(request, plan.terms_text or {}),
        "doubts": law_table.doubts(
            law_table.Rules(
                (plan.minimum_count, plan.minimum_unit), (plan.notice_count, plan.notice_unit), plan.renewal_rule
            ),
            country=plan.company.country, on=on,
        ),
    }  # fmt: skip
    return page(request, "catalog/plan", context)


def _versions(item: PlanItem, company: Company, on: Any) -> list[Price]:
    """By currency, newest first, each with what it is today: `now`, `later` or `past`."""
    versions = sorted(item.prices.all(), key=lambda price: (company.currency_rank(price.currency), -price.version))
    for price in versions:
        current = verbs.price_on(item, price.currency, on)
        price.rows, price.has_amount = rows_of(price, price.currency), has_amount(price)  # type: ignore[attr-defined]
        price.when = (  # type: ignore[attr-defined]
            "later" if price.valid_from > on else "now" if current and current.pk == price.pk else "past"
        )
    return versions


@needs("catalog.write")
@require_POST
@tells_refusals(lambda ref: reverse("backoffice:plan", args=[ref]))
def publish(request: HttpRequest, ref: str) -> HttpResponse:
    verbs.publish_plan(plan=found(own(request, Plan), ref), by=actor(request), at=now(request))
    return done(request, _("The plan is on sale."), "plan", ref)


@needs("catalog.write")
@require_POST
@tells_refusals(lambda ref: reverse("backoffice:plan", args=[ref]))
def retire(request: HttpRequest, ref: str) -> HttpResponse:
    verbs.retire_plan(plan=found(own(request, Plan), ref), by=actor(request), at=now(request))
    return done(request, _("The plan is off sale; what runs goes on."), "plan", ref)


@needs("catalog.write")
def add_item(request: HttpRequest, ref: str) -> HttpResponse:
    plan = found(own(request, Plan), ref)
    back = reverse("backoffice:plan", args=[ref])
    form = PlanItemForm(request.POST or None, company=request.company, on=today(request))
    if request.method == "POST" and form.is_valid():
        try:
            verbs.add_item(plan=plan, spec=form.item(), by=actor(request), at=now(request))
        except Refused as refused:
            show_refusal(form, refused)
        else:
            return done(request, _("The product is part of new sales of this plan."), back)
    return _form(request, form, _("Add a product"), back, (named(request, plan.name), back))


def _item(request: HttpRequest, ref: str) -> PlanItem:
    return found(own(request, PlanItem).select_related("plan", "product"), ref)


@needs("catalog.write")
@require_POST
def archive_item(request: HttpRequest, ref: str) -> HttpResponse:
    item = _item(request, ref)
    goal = reverse("backoffice:plan", args=[item.plan.ref])

    @tells_refusals(lambda: goal)
    def act(request: HttpRequest) -> HttpResponse:
        verbs.archive_item(item=item, by=actor(request), at=now(request))
        return done(request, _("The product is no longer part of new sales of this plan."), goal)

    return act(request)


@needs("catalog.write")
def add_price(request: HttpRequest, ref: str) -> HttpResponse:
    item = _item(request, ref)
    back = reverse("backoffice:plan", args=[item.plan.ref])
    last = item.prices.order_by("-id").first()
    initial = initial_of(last) if last else {}
    form = PriceForm(request.POST or None, company=request.company, on=today(request), initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            price = verbs.add_price_version(item=item, spec=form.spec(), by=actor(request), at=now(request))
        except Refused as refused:
            show_refusal(form, refused)
        else:
            text = _("Version %(version)s is kept; sold subscriptions keep theirs.") % {"version": price.version}
            return done(request, text, back)
    return _form(request, form, _("New price version"), back, (named(request, item.plan.name), back))
