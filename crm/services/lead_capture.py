"""The company's public form: what it says, who gets what comes in, and the lead that one sending makes.

The rule that matters: one sending makes one lead, however often its button is pressed; what was read and allowed is
kept word for word.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import override

from catalog.models import Campaign
from catalog.services.texts import in_language
from core.actors import Actor
from core.models import Company, Membership, Role
from core.refusal import Refused
from core.services import trail
from core.texts import checked
from crm.models import Lead, LeadForm
from crm.services import leads

SENDER: Final = Actor.system("Web form")
ASKED: Final = ("name", "organization", "email", "phone", "country", "message")
WORDS: Final = ("title", "intro", "privacy")
FIELDS: Final = (*WORDS, "is_active", "privacy_url", "asks_consent", "owner", "team", "campaign")
LONGEST: Final = 10_000


@dataclass(frozen=True, slots=True)
class Said:
    """What the form says in one language."""

    title: str
    intro: str
    privacy: str
    consent: str


def of_company(company: Company) -> LeadForm:
    """The company's form; not stored yet where nobody changed it."""
    rows = LeadForm.objects.select_related("company", "owner", "team", "campaign")
    return rows.filter(company=company).first() or LeadForm(company=company)


def said(form: LeadForm, language: str) -> Said:
    """Its words in that language: the company's own, else the product's."""
    company = form.company

    def own(texts: Mapping[str, str]) -> str:
        return in_language(texts, language, company.language) if texts else ""

    with override(language):
        usual = Said(
            title=_("Get in touch with %(company)s") % {"company": company.name},
            intro=_("Tell us what you need. We will get back to you soon."),
            privacy=_(
                "%(company)s uses what you enter here to answer you and to prepare an offer that you ask for, and "
                "deletes it when it is no longer needed for that. You can ask what is stored about you, and have it "
                "corrected or deleted."
            ) % {"company": company.legal_name or company.name},
            consent=_("%(company)s may send me news and offers by e-mail. I can take this back at any time.")
            % {"company": company.name},
        )  # fmt: skip
    return Said(
        own(form.title) or usual.title, own(form.intro) or usual.intro, own(form.privacy) or usual.privacy,
        usual.consent,
    )  # fmt: skip


@transaction.atomic
def save(*, company: Company, by: Actor, at: datetime, **values: Any) -> LeadForm:
    """Changes the form; what is left out stays."""
    Company.objects.select_for_update(no_key=True).get(pk=company.pk)
    form = of_company(company)
    kept = {name: value for name, value in values.items() if name in FIELDS}
    for name in WORDS:
        for text in kept.get(name, {}).values():
            checked(text, field=name, limit=LONGEST)
    _check(company, kept)
    changed = sorted(name for name, value in kept.items() if getattr(form, name) != value)
    for name in changed:
        setattr(form, name, kept[name])
    if changed or form.pk is None:
        form.save()
        trail.audit(
            company_id=company.pk, at=at, by=by, verb="lead_form.update", subject_kind="lead_form",
            subject_id=form.pk, facts={"fields": changed},
        )  # fmt: skip
    return form


def _check(company: Company, kept: Mapping[str, Any]) -> None:
    owner, team, campaign = kept.get("owner"), kept.get("team"), kept.get("campaign")
    if owner is not None and not Membership.objects.filter(company=company, user=owner).exists():
        raise Refused("task.owner_works_elsewhere", field="owner")
    for name, row in (("team", team), ("campaign", campaign)):
        if row is not None and row.company_id != company.pk:
            raise Refused("not_found", field=name)
    assert isinstance(team, Role | None)


def submit(
    *,
    form: LeadForm,
    key: str,
    given: Mapping[str, str],
    language: str,
    consents: bool = False,
    campaign: str = "",
    source: str = "",
    at: datetime,
) -> Lead:
    """The lead of one sending, named by `key`; the same again is the same lead.

    `given`: any of `ASKED`. `campaign` is the code in the link; one that nobody knows is kept as the source.
    """
    company = form.company
    if not form.is_active:
        raise Refused("lead_form.closed")
    with transaction.atomic():
        # The same sending twice at once: the second waits for the first, then finds its lead.
        Company.objects.select_for_update(no_key=True).get(pk=company.pk)
        sent = Lead.objects.filter(company=company, form_key=key).first()
        if sent is not None:
            return sent
        words = said(form, language)
        named = Campaign.objects.filter(company=company, code=campaign, archived_at__isnull=True).first()
        extra: dict[str, Any] = {"form_key": key, "privacy_text": words.privacy}
        if consents and form.asks_consent and given.get("email"):
            extra |= {"consent_at": at, "consent_source": f"web form: {words.consent}"[:120]}
        values: dict[str, Any] = {name: given.get(name, "") for name in ASKED}
        return leads.create(
            company=company, origin=Lead.Origin.FORM, extra=extra, owner=form.owner, team=form.team,
            campaign=named or (form.campaign if not campaign else None),
            source=(source or (campaign if named is None else ""))[:80], language=language, **values, by=SENDER, at=at,
        )  # fmt: skip
