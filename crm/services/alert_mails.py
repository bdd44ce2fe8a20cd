"""Mail to staff about alerts: at once, one mail for all that came up in a tick; and in the morning, counts with links.

Each mail is in its reader's language. Nothing to say: no mail.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import date, datetime
from typing import Any, Final

from django.conf import settings
from django.db import transaction
from django.db.models import Count, Q
from django.template.loader import render_to_string
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, override

from core import clock
from core.models import Company, Membership, User
from crm.models import Alert, AlertRule, Digest, Task
from crm.services import alert_kinds, alert_rules
from customers.models import Message
from customers.services import messages

#: Local hour from which the morning's mail is written.
MORNING: Final = 7
#: Alerts named one by one in a mail; beyond them it says how many more there are.
NAMED: Final = 20
AT_ONCE, DIGEST = "staff_alerts", "staff_digest"


def mail_waiting(*, company: Company, at: datetime) -> int:
    """Writes the mails about alerts that are to be told at once, one for each person; how many."""
    if not Alert.objects.filter(company=company, awaits_mail=True).exists():
        return 0
    with transaction.atomic():
        rows = list(
            Alert.objects.select_for_update(of=("self",), skip_locked=True)
            .filter(company=company, awaits_mail=True)
            .select_related("customer", "subscription", "invoice")
            .order_by("pk")[:5000]
        )
        heard = alert_rules.hearers(company, {row.rule_id for row in rows})
        told: dict[int, tuple[User, list[Alert]]] = {}
        for row in rows:
            for user in heard.get(row.rule_id, []):
                told.setdefault(user.pk, (user, []))[1].append(row)
        for user, alerts in told.values():
            _write_at_once(company, user, alerts, at)
        Alert.objects.filter(pk__in=[row.pk for row in rows]).update(awaits_mail=False)
    return len(told)


def language_of(user: User, company: Company) -> str:
    return user.language or company.language


def _write_at_once(company: Company, user: User, alerts: list[Alert], at: datetime) -> Message:
    with override(language_of(user, company)):
        if len(alerts) == 1:
            subject = f"{company.name}: {alert_kinds.title_of(alerts[0].kind)}"
        else:
            count = len(alerts)
            subject = ngettext("%(company)s: %(count)s alert", "%(company)s: %(count)s alerts", count) % {
                "company": company.name, "count": count,
            }  # fmt: skip
        lines = [f"{alert_kinds.title_of(alert.kind)}: {alert_kinds.in_words(alert)}" for alert in alerts[:NAMED]]
        context = {"name": user.name, "lines": lines, "more": max(len(alerts) - NAMED, 0), "url": link("alerts")}
        return _send(company, user, AT_ONCE, subject, context, at)


def _send(company: Company, user: User, template: str, subject: str, context: dict[str, Any], at: datetime) -> Message:
    body = render_to_string(f"mail/staff/{template}.txt", context).strip() + "\n"
    return messages.write(
        company=company, customer=None, template=template, language=language_of(user, company), subject=subject,
        body=body, recipients=[user.email], subject_kind="user", subject_id=user.pk, at=at,
    )  # fmt: skip


def link(page: str, query: str = "") -> str:
    """The address of a page of the back office."""
    try:
        return settings.SITE_URL + reverse(f"backoffice:{page}") + query
    except NoReverseMatch:  # an installation without that door
        return str(settings.SITE_URL)


# The morning's mail -------------------------------------------------------------------------------------------------


def morning(*, company: Company, at: datetime) -> int:
    """Writes the morning's mails that are due and not written; how many. Missed mornings are not made up for."""
    local = at.astimezone(clock.zone(company.time_zone))
    if local.hour < MORNING:
        return 0
    today = local.date()
    waiting = Membership.objects.filter(company=company, user__is_active=True).exclude(
        user_id__in=Digest.objects.filter(company=company, on=today).values("user_id")
    )
    people = [member.user for member in waiting.select_related("user").order_by("pk")]
    if not people:
        return 0
    content = _content(company, today)
    return sum(_write_digest(company, user, today, content, at) for user in people)


def _content(company: Company, today: date) -> dict[str, Any]:
    """What there is to say, for everybody: unseen alerts by rule, tasks by owner and team; in a few statements."""
    rules = {rule.pk: rule for rule in AlertRule.objects.filter(company=company, mail=AlertRule.Mail.DAILY)}
    unseen = Alert.objects.filter(
        company=company, rule_id__in=rules, state=Alert.State.OPEN, acknowledged_at__isnull=True
    )
    counts = dict(unseen.order_by().values_list("rule_id").annotate(Count("pk")))
    due = Task.objects.filter(company=company, state=Task.State.OPEN, due_on__lte=today).filter(
        Q(postponed_to_on__isnull=True) | Q(postponed_to_on__lte=today)
    )
    tasks: dict[tuple[int | None, int | None], list[int]] = defaultdict(lambda: [0, 0])
    grouped = due.order_by().values_list("owner_id", "team_id", "due_on").annotate(Count("pk"))
    for owner, team, due_on, count in grouped:
        tasks[owner, None if owner else team][due_on < today] += count
    roles = dict(Membership.objects.filter(company=company).values_list("user_id", "role_id"))
    return {
        "rules": rules, "counts": counts, "heard": alert_rules.hearers(company, counts), "tasks": tasks, "roles": roles,
    }  # fmt: skip


def _write_digest(company: Company, user: User, today: date, content: dict[str, Any], at: datetime) -> bool:
    """The mail of one person, once a day; no, when it was written already or there is nothing to say."""
    kinds = [
        (content["rules"][rule_id].kind, count)
        for rule_id, count in content["counts"].items()
        if any(one.pk == user.pk for one in content["heard"].get(rule_id, []))
    ]
    own, team = content["tasks"][user.pk, None], content["tasks"][None, content["roles"].get(user.pk, 0)]
    with transaction.atomic():
        made = Digest(company=company, user=user, on=today)
        Digest.objects.bulk_create([made], ignore_conflicts=True)
        row = Digest.objects.select_for_update().get(company=company, user=user, on=today)
        if row.message_id is not None or not (kinds or any(own) or any(team)):
            return False
        with override(language_of(user, company)):
            alerts = sorted((alert_kinds.title_of(kind), count, kind) for kind, count in kinds)
            context = {
                "name": user.name, "company": company.name, "tasks_url": link("tasks"), "alerts_url": link("alerts"),
                "alerts": [
                    {"title": title, "count": count, "url": link("alerts", f"?kind={kind}")}
                    for title, count, kind in alerts
                ],
                "due": own[0], "overdue": own[1], "team": sum(team),
            }  # fmt: skip
            subject = _("%(company)s: what waits for you today") % {"company": company.name}
            row.message = _send(company, user, DIGEST, subject, context, at)
        row.save(update_fields=["message"])
    return True
