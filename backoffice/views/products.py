"""Products and services of the catalog."""

from __future__ import annotations

from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from backoffice import exports
from backoffice.acting import actor, done, found, now, own, show_refusal, tells_refusals
from backoffice.forms.catalog import ProductFilter, ProductForm
from backoffice.lists import listing
from backoffice.pages import crumbs, page
from catalog.models import PlanItem, Product
from catalog.services import products as verbs
from catalog.services.texts import in_language
from core.refusal import Refused
from core.rights import needs


def named(request: HttpRequest, texts: dict[str, str]) -> str:
    """A text of the catalog in the reader's language, else the company's."""
    return in_language(texts, get_language() or "", request.company.language)


@needs("catalog.read")
def index(request: HttpRequest) -> HttpResponse:
    form, q = ProductFilter(request.GET), request.GET.get("q", "").replace("\0", "")
    chosen = form.cleaned_data if form.is_valid() else {}
    rows = own(request, Product).filter(archived_at__isnull=chosen.get("archived") != "only")
    if chosen.get("kind"):
        rows = rows.filter(kind=chosen["kind"])
    if q.strip():
        rows = rows.filter(Q(code__icontains=q.strip()) | Q(name__icontains=q.strip()))
    rows = rows.select_related("tax_category")
    if exports.is_asked(request):
        head = ["code", "name", "kind", "tax_category", "external_id"]
        cells = (
            [row.code, named(request, row.name), row.kind, row.tax_category.code, row.external_id]
            for row in rows.order_by("code").iterator(chunk_size=1000)
        )
        return exports.response(request, "products", _("Products"), head, cells)  # type: ignore[return-value]
    listed = listing(request, rows, sorts={"code": "code", "created": "pk"}, default="code", form=form, q=q)
    for row in listed.rows:
        row.shown_name = named(request, row.name)
    return page(request, "catalog/products", {"title": _("Products"), "list": listed, "exports": True})


def _form(request: HttpRequest, form: ProductForm, title: str, back: str) -> HttpResponse:
    trail = crumbs((_("Products"), reverse("backoffice:products")), (title, ""))
    context = {"title": title, "crumbs": trail, "form": form, "back": back}
    return page(request, "form", context, status=422 if form.errors else 200)


@needs("catalog.write")
def create(request: HttpRequest) -> HttpResponse:
    form = ProductForm(request.POST or None, company=request.company)
    if request.method == "POST" and form.is_valid():
        try:
            product = verbs.create_product(company=request.company, **form.values(), by=actor(request), at=now(request))
        except Refused as refused:
            show_refusal(form, refused)
        else:
            return done(request, _("%(code)s can now be sold.") % {"code": product.code}, "product", product.ref)
    return _form(request, form, _("New product"), reverse("backoffice:products"))


@needs("catalog.write")
def edit(request: HttpRequest, ref: str) -> HttpResponse:
    product = found(own(request, Product), ref)
    form = ProductForm(request.POST or None, company=request.company, initial=ProductForm.initial_of(product))
    if request.method == "POST" and form.is_valid():
        try:
            verbs.update_product(product=product, changes=form.values(), by=actor(request), at=now(request))
        except Refused as refused:
            show_refusal(form, refused)
        else:
            return done(request, _("The changes are saved."), "product", ref)
    return _form(request, form, _("Edit product"), reverse("backoffice:product", args=[ref]))


@needs("catalog.read")
def detail(request: HttpRequest, ref: str) -> HttpResponse:
    product = found(own(request, Product).select_related("tax_category"), ref)
    items = PlanItem.objects.filter(company=request.company, product=product, archived_at__isnull=True)
    plans = [item.plan for item in items.select_related("plan").order_by("plan__code")[:50]]
    for plan in plans:
        plan.shown_name = named(request, plan.name)
    title = named(request, product.name)
    context = {
        "title": title,
        "crumbs": crumbs((_("Products"), reverse("backoffice:products")), (title, "")),
        "product": product,
        "plans": plans,
    }
    return page(request, "catalog/product", context)


@needs("catalog.write")
@require_POST
@tells_refusals(lambda ref: reverse("backoffice:product", args=[ref]))
def archive(request: HttpRequest, ref: str) -> HttpResponse:
    product = found(own(request, Product), ref)
    by, at = actor(request), now(request)
    if request.POST.get("restore"):
        verbs.restore_product(product=product, by=by, at=at)
        return done(request, _("The product can be sold again."), "product", ref)
    verbs.archive_product(product=product, by=by, at=at)
    return done(request, _("The product is hidden from new sales; what runs goes on."), "product", ref)
