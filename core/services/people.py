"""Who works for a company, in which role. Somebody who may change people always stays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction

from core.actors import Actor
from core.models import Company, Membership, Role, User
from core.refusal import Refused
from core.rights import RIGHTS
from core.services import trail
from core.texts import checked

_KEEPS = "settings.write"


def add_member(*, company: Company, email: str, name: str, role: Role, by: Actor, at: datetime) -> Membership:
    """Lets a person work for the company; they sign in by mailed code. Their account is found or made."""
    email = checked(email, field="email", limit=254, required=True).strip().lower()
    try:
        validate_email(email)
    except ValidationError:
        raise Refused("people.email_form", field="email", value=email[:100]) from None
    _own(company, role)
    with transaction.atomic():
        user = User.objects.filter(email__iexact=email).first()
        if user is None:
            user = User.objects.create_user(email, name=checked(name, field="name", limit=200))
        if Membership.objects.filter(company=company, user=user).exists():
            raise Refused("people.member_already", field="email", value=email)
        member = Membership.objects.create(company=company, user=user, role=role)
        _tell(company, "member.add", member.pk, by, at, {"user": user.ref, "role": role.name})
    return member


def change_role(*, member: Membership, role: Role, by: Actor, at: datetime) -> Membership:
    """Gives a person another role; the last who may change people keeps theirs (`people.last_admin`)."""
    with transaction.atomic():
        company = Company.objects.select_for_update().get(pk=member.company_id)
        member = Membership.objects.select_related("role", "user").get(pk=member.pk)
        _own(company, role)
        if member.role_id == role.pk:
            return member
        before, member.role = member.role, role
        member.save(update_fields=["role"])
        _keep_one(company)
        facts = {"user": member.user.ref, "role": [before.name, role.name]}
        _tell(company, "member.change_role", member.pk, by, at, facts)
    return member


def remove_member(*, member: Membership, by: Actor, at: datetime) -> None:
    """Ends a person's work for the company; what they did stays under their name."""
    with transaction.atomic():
        company = Company.objects.select_for_update().get(pk=member.company_id)
        key, user = member.pk, member.user
        member.delete()
        _keep_one(company)
        _tell(company, "member.remove", key, by, at, {"user": user.ref})


def save_role(
    *, company: Company, role: Role | None, name: str, rights: Iterable[str], by: Actor, at: datetime
) -> Role:
    """Makes a role, or changes one with everybody who has it."""
    wanted = sorted(set(rights))
    checked(name, field="name", limit=80, required=True)
    for right in wanted:
        if right not in RIGHTS:
            raise Refused("field.choice", field="rights", value=right, choices=", ".join(RIGHTS))
    with transaction.atomic():
        company = Company.objects.select_for_update().get(pk=company.pk)
        if role is None:
            role = Role(company=company)
        else:
            _own(company, role)
        before = list(role.rights)
        role.name, role.rights = name, wanted
        try:
            with transaction.atomic():
                role.save()
        except IntegrityError:
            raise Refused("people.role_taken", field="name", value=name) from None
        _keep_one(company)
        _tell(company, "role.save", role.pk, by, at, {"name": name, "rights": [before, wanted]})
    return role


def _own(company: Company, role: Role) -> None:
    if role.company_id != company.pk:
        raise Refused("not_found", field="role")


def _keep_one(company: Company) -> None:
    kept = Membership.objects.filter(company=company, role__rights__contains=[_KEEPS], user__is_active=True)
    if not kept.exists():
        raise Refused("people.last_admin", field="role")


def _tell(company: Company, verb: str, subject_id: int, by: Actor, at: datetime, facts: Mapping[str, Any]) -> None:
    trail.audit(
        company_id=company.pk,
        at=at,
        by=by,
        verb=verb,
        subject_kind=verb.partition(".")[0],
        subject_id=subject_id,
        facts=facts,
    )
