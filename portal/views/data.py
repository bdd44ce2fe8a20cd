"""The customer's own data and colleagues: looked at by all, changed by those who may."""

from __future__ import annotations

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from core.refusal import Refused
from crm.services import taking_along
from customers.models import Address, Contact
from customers.services import consents, customers
from portal.access import Visitor, found, needs
from portal.forms import ColleagueForm, DataForm, RoleForm, country_choices, show_refusal
from portal.pages import crumbs, page


def _address(visitor: Visitor) -> Address | None:
    return Address.objects.filter(
        customer=visitor.customer, kind=Address.Kind.BILLING, replaced_at__isnull=True
    ).first()


@needs("see")
def data(request: HttpRequest) -> HttpResponse:
    visitor: Visitor = request.visitor  # type: ignore[attr-defined]
    address = _address(visitor)
    context = {
        "address": address,
        "country": dict(country_choices()).get(address.country, address.country) if address else "",
        "may_edit": "edit" in visitor.rights,
        "gets_news": consents.is_allowed(visitor.contact),
    }
    return page(request, "data", context)


@require_POST
@needs("see")
def news(request: HttpRequest) -> HttpResponse:
    """Whether news and offers may come to the visitor's own address."""
    visitor: Visitor = request.visitor  # type: ignore[attr-defined]
    if request.POST.get("allow"):
        consents.allow(holder=visitor.contact, source="portal", by=visitor.actor, at=visitor.now)
        messages.success(request, _("News and offers may come to you."))
    else:
        consents.withdraw(holder=visitor.contact, by=visitor.actor, at=visitor.now)
        messages.success(request, _("No more news and offers come to you."))
    return redirect("portal:data")


@needs("edit")
def edit_data(request: HttpRequest) -> HttpResponse:
    visitor: Visitor = request.visitor  # type: ignore[attr-defined]
    customer, address = visitor.customer, _address(visitor)
    form = DataForm(request.POST or None, customer=customer, initial=DataForm.values_for(customer, address))
    if request.method == "POST" and form.is_valid():
        try:
            with transaction.atomic():
                customers.update_customer(customer=customer, changes=form.changes(), by=visitor.actor, at=visitor.now)
                customers.set_address(
                    customer=customer,
                    kind=Address.Kind.BILLING,
                    address=form.address(address),
                    by=visitor.actor,
                    at=visitor.now,
                )
        except Refused as refused:
            show_refusal(form, refused)
        else:
            messages.success(request, _("Your data are saved. Invoices issued before stay as they are."))
            return redirect("portal:data")
    context = {"form": form, "crumbs": crumbs((_("My data"), reverse("portal:data")), (_("Change"), ""))}
    return page(request, "data_edit", context, status=422 if form.errors else 200)


@require_safe
@needs("edit")
def export(request: HttpRequest) -> StreamingHttpResponse:
    """All of it in one file; for those who may change it. What colleagues of the seller noted, they ask staff for."""
    visitor: Visitor = request.visitor  # type: ignore[attr-defined]
    customer = visitor.customer
    taking_along.told(customer=customer, internal=False, by=visitor.actor, at=visitor.now)
    pieces = taking_along.archive(customer, internal=False)
    response = StreamingHttpResponse(pieces, content_type="application/zip")
    response["Content-Disposition"] = f'attachment; filename="{taking_along.file_name(customer, visitor.today)}"'
    return response


@needs("see")
def colleagues(request: HttpRequest) -> HttpResponse:
    visitor: Visitor = request.visitor  # type: ignore[attr-defined]
    rows = list(visitor.colleagues.select_related("user").order_by("name", "id"))
    return page(request, "colleagues", {"rows": rows, "may_invite": "invite" in visitor.rights})


@needs("invite")
def add_colleague(request: HttpRequest) -> HttpResponse:
    visitor: Visitor = request.visitor  # type: ignore[attr-defined]
    form = ColleagueForm(request.POST or None, initial={"role": Contact.Role.VIEWER})
    if request.method == "POST" and form.is_valid():
        try:
            with transaction.atomic():
                contact = customers.add_contact(
                    customer=visitor.customer, **form.cleaned_data, by=visitor.actor, at=visitor.now
                )
                customers.invite_to_portal(contact=contact, by=visitor.actor, at=visitor.now)
        except Refused as refused:
            show_refusal(form, refused)
        else:
            messages.success(request, _("%(name)s is invited by mail.") % {"name": contact.name})
            return redirect("portal:colleagues")
    context = {"form": form, "title": _("Invite a colleague"), "label": _("Send the invitation"), "crumbs": _crumbs()}
    return page(request, "colleague_edit", context, status=422 if form.errors else 200)


@needs("invite")
def edit_colleague(request: HttpRequest, ref: str) -> HttpResponse:
    """A colleague's role. Nobody takes their own rights away, so somebody is always left who may do everything."""
    visitor: Visitor = request.visitor  # type: ignore[attr-defined]
    contact = found(visitor.colleagues, ref)
    initial = {"name": contact.name, "role": contact.role, "gets_invoices": contact.gets_invoices}
    form = RoleForm(request.POST or None, initial=initial)
    own = contact.pk == visitor.contact.pk
    if own:
        form.fields["role"].disabled = True
    if request.method == "POST" and form.is_valid():
        try:
            customers.update_contact(contact=contact, changes=form.cleaned_data, by=visitor.actor, at=visitor.now)
        except Refused as refused:
            show_refusal(form, refused)
        else:
            messages.success(request, _("Saved."))
            return redirect("portal:colleagues")
    context = {
        "form": form,
        "row": contact,
        "own": own,
        "title": contact.name,
        "label": _("Save"),
        "crumbs": _crumbs(),
    }
    return page(request, "colleague_edit", context, status=422 if form.errors else 200)


@require_POST
@needs("invite")
def invite_colleague(request: HttpRequest, ref: str) -> HttpResponse:
    visitor: Visitor = request.visitor  # type: ignore[attr-defined]
    contact = found(visitor.colleagues, ref)
    try:
        customers.invite_to_portal(contact=contact, by=visitor.actor, at=visitor.now)
    except Refused as refused:
        messages.error(request, refused.message)
    else:
        messages.success(request, _("%(name)s is invited by mail.") % {"name": contact.name})
    return redirect("portal:colleagues")


@require_POST
@needs("invite")
def remove_colleague(request: HttpRequest, ref: str) -> HttpResponse:
    visitor: Visitor = request.visitor  # type: ignore[attr-defined]
    contact = found(visitor.colleagues, ref)
    if contact.pk == visitor.contact.pk:
        messages.error(request, _("You can't take away your own access."))
    else:
        customers.archive_contact(contact=contact, by=visitor.actor, at=visitor.now)
        messages.success(request, _("%(name)s has no access any more.") % {"name": contact.name})
    return redirect("portal:colleagues")


def _crumbs() -> list[dict[str, str]]:
    return crumbs((_("Colleagues"), reverse("portal:colleagues")))
