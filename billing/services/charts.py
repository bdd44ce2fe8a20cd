"""Accounts as the accountant sees them: another chart, other codes and names.

The rule that matters: a code is a label; postings hang on the account, so that renaming it changes no figure.
"""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from billing.models import Account
from billing.services.books import CHARTS, ensure_accounts
from core.actors import Actor
from core.models import Company
from core.refusal import Refused
from core.services import trail
from core.texts import checked

CODE_MOST = 20
NAME_MOST = 80


def rename(*, account: Account, code: str, name: str, by: Actor, at: datetime) -> Account:
    """Gives an account another code and name. Refuses `account.code_taken`, and another code for an account that
    products name by it (`account.code_named`). The same again: nothing happens."""
    code = checked(code.strip(), field="code", limit=CODE_MOST, required=True)
    name = checked(name.strip(), field="name", limit=NAME_MOST, required=True)
    with transaction.atomic():
        Company.objects.select_for_update(no_key=True).get(pk=account.company_id)
        account = Account.objects.get(pk=account.pk)
        if name == account.words:
            name = account.name
        if (account.code, account.name) == (code, name):
            return account
        if code != account.code:
            if not is_usual(account):
                raise Refused("account.code_named", field="code", code=account.code)
            if Account.objects.filter(company_id=account.company_id, code=code).exclude(pk=account.pk).exists():
                raise Refused("account.code_taken", field="code", code=code)
        facts = {"code": [account.code, code], "name": [account.name, name], "role": account.role}
        account.code, account.name = code, name
        account.save(update_fields=["code", "name"])
        trail.audit(company_id=account.company_id, at=at, by=by, verb="account.rename", subject_kind="account",
                    subject_id=account.pk, facts=facts)  # fmt: skip
    return account


def is_usual(account: Account) -> bool:
    """Whether it is the usual account of its role, the oldest; further ones are named by products."""
    rows = Account.objects.filter(company_id=account.company_id, role=account.role)
    return bool(rows.order_by("id").values_list("pk", flat=True).first() == account.pk)


def choose_chart(*, company: Company, chart: str, by: Actor, at: datetime) -> Company:
    """Takes another chart: accounts that bear the old chart's codes get the new one's; renamed ones stay.

    Refuses an unknown chart (`field.choice`) and a code that another account has (`account.code_taken`).
    """
    if chart not in CHARTS:
        raise Refused("field.choice", field="chart", value=chart, choices=", ".join(CHARTS))
    with transaction.atomic():
        company = Company.objects.select_for_update(no_key=True).get(pk=company.pk)
        if company.chart == chart:
            return company
        ensure_accounts(company)
        old, new, before = CHARTS[company.chart], CHARTS[chart], company.chart
        rows = list(Account.objects.filter(company=company).order_by("pk"))
        moved = [row for row in rows if old.get(row.role) == row.code]
        kept = {row.code for row in rows if row not in moved}
        for row in moved:
            if new[row.role] in kept:
                raise Refused("account.code_taken", field="chart", code=new[row.role])
        # By way of codes nobody has, because two may change places.
        for row in moved:
            Account.objects.filter(pk=row.pk).update(code=f"~{row.pk}")
        for row in moved:
            Account.objects.filter(pk=row.pk).update(code=new[row.role])
        company.chart = chart
        company.save(update_fields=["chart"])
        trail.audit(company_id=company.pk, at=at, by=by, verb="company.choose_chart", subject_kind="company",
                    subject_id=company.pk, facts={"chart": [before, chart]})  # fmt: skip
    return company
