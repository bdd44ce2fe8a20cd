"""Who works for the company, in which role, and the keys of its API."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from backoffice.acting import actor, done, found, now, own, show_refusal, tells_refusals
from backoffice.forms.sections import SectionedForm
from backoffice.forms.settings import KeyForm, MemberForm, MemberRoleForm, RoleForm
from backoffice.pages import crumbs, page
from core import clock
from core.models import ApiKey, Membership, Role
from core.refusal import Refused
from core.rights import RIGHTS, needs
from core.services import keys as key_verbs
from core.services import people as verbs


def _form(request: HttpRequest, form: SectionedForm, title: str, back: str, above: str) -> HttpResponse:
    trail = crumbs((_("Settings"), reverse("backoffice:settings")), (above, back), (title, ""))
    context = {"title": title, "crumbs": trail, "form": form, "back": back}
    return page(request, "form", context, status=422 if form.errors else 200)


@needs("settings.read")
def index(request: HttpRequest) -> HttpResponse:
    members = own(request, Membership).select_related("user", "role").order_by("user__name", "user__email")
    roles = list(own(request, Role).order_by("name"))
    for role in roles:
        role.words = [RIGHTS[right] for right in RIGHTS if right in role.rights]  # type: ignore[attr-defined]
    context = {
        "title": _("People and roles"),
        "crumbs": crumbs((_("Settings"), reverse("backoffice:settings")), (_("People and roles"), "")),
        "members": members,
        "roles": roles,
    }
    return page(request, "settings/people", context)


@needs("settings.write")
def add(request: HttpRequest) -> HttpResponse:
    form = MemberForm(request.POST or None, company=request.company)
    back = reverse("backoffice:people")
    if request.method == "POST" and form.is_valid():
        try:
            member = verbs.add_member(company=request.company, **form.cleaned_data, by=actor(request), at=now(request))
        except Refused as refused:
            show_refusal(form, refused)
        else:
            text = _("%(person)s can now sign in with a code mailed to them.") % {"person": member.user}
            return done(request, text, back)
    return _form(request, form, _("Add a person"), back, _("People and roles"))


@needs("settings.write")
def change_role(request: HttpRequest, pk: int) -> HttpResponse:
    member = get_object_or_404(own(request, Membership).select_related("user"), pk=pk)
    form = MemberRoleForm(request.POST or None, company=request.company, initial={"role": member.role_id})
    back = reverse("backoffice:people")
    if request.method == "POST" and form.is_valid():
        try:
            verbs.change_role(member=member, role=form.cleaned_data["role"], by=actor(request), at=now(request))
        except Refused as refused:
            show_refusal(form, refused)
        else:
            return done(request, _("%(person)s has another role now.") % {"person": member.user}, back)
    return _form(request, form, str(member.user), back, _("People and roles"))


@needs("settings.write")
@require_POST
@tells_refusals(lambda pk: reverse("backoffice:people"))
def remove(request: HttpRequest, pk: int) -> HttpResponse:
    member = get_object_or_404(own(request, Membership).select_related("user"), pk=pk)
    verbs.remove_member(member=member, by=actor(request), at=now(request))
    return done(request, _("%(person)s no longer works for this company.") % {"person": member.user}, "people")


@needs("settings.write")
def save_role(request: HttpRequest, pk: int | None = None) -> HttpResponse:
    role = get_object_or_404(own(request, Role), pk=pk) if pk else None
    form = RoleForm(request.POST or None, initial={"name": role.name, "rights": role.rights} if role else None)
    back = reverse("backoffice:people")
    if request.method == "POST" and form.is_valid():
        try:
            verbs.save_role(company=request.company, role=role, **form.cleaned_data, by=actor(request), at=now(request))
        except Refused as refused:
            show_refusal(form, refused)
        else:
            return done(request, _("The role is saved."), back)
    return _form(request, form, _("Edit role") if role else _("New role"), back, _("People and roles"))


def _keys(request: HttpRequest, fresh: str = "", *, status: int = 200) -> HttpResponse:
    rows = list(own(request, ApiKey).select_related("created_by").order_by("-pk")[:100])
    at = clock.machine_now()
    for row in rows:
        over = row.expires_at is not None and row.expires_at <= at
        row.state = "revoked" if row.revoked_at else "expired" if over else "active"  # type: ignore[attr-defined]
    context = {
        "title": _("API keys"),
        "crumbs": crumbs((_("Settings"), reverse("backoffice:settings")), (_("API keys"), "")),
        "keys": rows,
        "fresh": fresh,
    }
    response = page(request, "settings/keys", context, status=status)
    response["Cache-Control"] = "no-store"
    return response


@needs("settings.read")
def keys(request: HttpRequest) -> HttpResponse:
    return _keys(request)


@needs("settings.write")
def create_key(request: HttpRequest) -> HttpResponse:
    form = KeyForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            _key, text = key_verbs.issue_key(
                company=request.company,
                name=form.cleaned_data["name"],
                scopes=form.cleaned_data["scopes"],
                expires_at=form.expires_at(),
                user=request.user,
                by=actor(request),
                at=now(request),
            )
        except Refused as refused:
            show_refusal(form, refused)
        else:
            # Shown on this very answer and nowhere else: no session, no redirect, no second time.
            return _keys(request, text)
    return _form(request, form, _("New key"), reverse("backoffice:keys"), _("API keys"))


@needs("settings.write")
@require_POST
def revoke_key(request: HttpRequest, ref: str) -> HttpResponse:
    key = found(own(request, ApiKey), ref)
    key_verbs.revoke_key(key=key, by=actor(request), at=now(request))
    return done(request, _("The key %(name)s is revoked; nobody can use it any more.") % {"name": key.name}, "keys")
