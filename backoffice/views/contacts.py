"""People at a customer, their way into the portal, and notes colleagues leave."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from backoffice.acting import actor, done, found, now, own, show_refusal, tells_refusals
from backoffice.forms.customers import ContactForm, NoteForm
from backoffice.pages import crumbs, page
from core.refusal import Refused
from core.rights import needs
from customers.models import Contact, Customer, Note
from customers.services import contacts as verbs
from customers.services import notes


def _tab(customer_ref: str, tab: str) -> str:
    return reverse("backoffice:customer", args=[customer_ref]) + f"?tab={tab}"


def _form(request: HttpRequest, form: ContactForm, title: str, customer: Customer) -> HttpResponse:
    trail = crumbs(
        (_("Customers"), reverse("backoffice:customers")),
        (customer.name, reverse("backoffice:customer", args=[customer.ref])),
        (title, ""),
    )
    context = {"title": title, "crumbs": trail, "form": form, "back": _tab(customer.ref, "contacts")}
    return page(request, "form", context, status=422 if form.errors else 200)


@needs("customer.write")
def create(request: HttpRequest, ref: str) -> HttpResponse:
    customer = found(own(request, Customer), ref)
    form = ContactForm(request.POST or None, initial={"role": Contact.Role.OWNER})
    if request.method == "POST" and form.is_valid():
        try:
            verbs.add_contact(customer=customer, **form.cleaned_data, by=actor(request), at=now(request))
        except Refused as refused:
            show_refusal(form, refused)
        else:
            return done(request, _("The contact is added."), _tab(ref, "contacts"))
    return _form(request, form, _("New contact"), customer)


def _contact(request: HttpRequest, ref: str) -> Contact:
    return found(own(request, Contact).select_related("customer"), ref)


@needs("customer.write")
def edit(request: HttpRequest, ref: str) -> HttpResponse:
    contact = _contact(request, ref)
    names = ("name", "email", "phone", "role", "gets_invoices")
    form = ContactForm(request.POST or None, initial={name: getattr(contact, name) for name in names})
    if request.method == "POST" and form.is_valid():
        try:
            verbs.update_contact(contact=contact, changes=form.cleaned_data, by=actor(request), at=now(request))
        except Refused as refused:
            show_refusal(form, refused)
        else:
            return done(request, _("The changes are saved."), _tab(contact.customer.ref, "contacts"))
    return _form(request, form, _("Edit contact"), contact.customer)


@needs("customer.write")
@require_POST
def archive(request: HttpRequest, ref: str) -> HttpResponse:
    contact = _contact(request, ref)
    verbs.archive_contact(contact=contact, by=actor(request), at=now(request))
    text = _("%(name)s is archived and can no longer sign in for this customer.") % {"name": contact.name}
    return done(request, text, _tab(contact.customer.ref, "contacts"))


@needs("customer.write")
@require_POST
def invite(request: HttpRequest, ref: str) -> HttpResponse:
    contact = _contact(request, ref)
    goal = _tab(contact.customer.ref, "contacts")

    @tells_refusals(lambda: goal)
    def act(request: HttpRequest) -> HttpResponse:
        verbs.invite_to_portal(contact=contact, by=actor(request), at=now(request))
        return done(request, _("A mail with the way in is on its way to %(email)s.") % {"email": contact.email}, goal)

    return act(request)


@needs("customer.write")
def add_note(request: HttpRequest, ref: str) -> HttpResponse:
    customer = found(own(request, Customer), ref)
    form = NoteForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            notes.add_note(customer=customer, text=form.cleaned_data["text"], by=actor(request), at=now(request))
        except Refused as refused:
            show_refusal(form, refused)
        else:
            return done(request, _("The note is kept."), _tab(ref, "notes"))
    return page(
        request,
        "customers/note",
        {"title": _("New note"), "customer": customer, "form": form, "back": _tab(ref, "notes"),
         "crumbs": crumbs((_("Customers"), reverse("backoffice:customers")),
                          (customer.name, reverse("backoffice:customer", args=[ref])), (_("New note"), ""))},
        status=422 if form.errors else 200,
    )  # fmt: skip


@needs("customer.write")
@require_POST
def archive_note(request: HttpRequest, ref: str) -> HttpResponse:
    note = found(own(request, Note).select_related("customer"), ref)
    notes.archive_note(note=note, by=actor(request), at=now(request))
    return done(request, _("The note is taken off the page."), _tab(note.customer.ref, "notes"))
