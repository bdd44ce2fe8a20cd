"""Keys of the API: shown once, kept as a digest, never more than their maker may."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

import pytest

pytestmark = pytest.mark.django_db
AT = datetime(2026, 3, 10, 9, 0, tzinfo=UTC)


@pytest.fixture
def company():
    from tests.factories import a_company

    return a_company()


def issue(company, **changes):
    from core.actors import Actor
    from core.services import keys

    values = {"name": "shop", "scopes": ["customers:read"], **changes}
    return keys.issue_key(company=company, **values, by=Actor.system("tests"), at=AT)


def refusal(company, **changes):
    from core.refusal import Refused

    with pytest.raises(Refused) as caught:
        issue(company, **changes)
    return caught.value.code


def test_only_a_digest_of_the_text_is_kept(company):
    from core.models import AuditEntry

    key, text = issue(company)
    assert text.startswith("sk_test_") and len(text) == 48
    assert key.digest == hashlib.sha256(text.encode()).hexdigest()
    assert key.prefix == text[:12]
    entry = AuditEntry.objects.get(company=company, verb="key.issue")
    assert text not in str(entry.facts) and entry.subject_id == key.pk


def test_no_two_keys_are_alike(company):
    assert issue(company)[1] != issue(company)[1]


def test_a_key_is_found_by_its_text_alone(company):
    from core.services import keys

    key, text = issue(company)
    assert keys.find_key(text) == key
    assert keys.find_key(text[:-1]) is None
    assert keys.find_key(key.digest) is None


def test_a_key_needs_a_name_and_scopes_that_exist(company):
    assert refusal(company, name=" ") == "key.name_missing"
    assert refusal(company, scopes=[]) == "key.needs_a_scope"
    assert refusal(company, scopes=["customers:delete"]) == "key.unknown_scope"


def test_a_key_does_not_end_before_it_begins(company):
    from core import clock

    assert refusal(company, expires_at=clock.machine_now() - timedelta(seconds=1)) == "key.expires_in_the_past"


def test_a_key_can_do_no_more_than_its_maker(company):
    from core.models import Membership, Role, User

    maker = User.objects.create_user("maker@example.com")
    role = Role.objects.create(company=company, name="reads customers", rights=["customer.read"])
    Membership.objects.create(company=company, user=maker, role=role)
    assert refusal(company, user=maker, scopes=["customers:write"]) == "key.beyond_your_rights"
    assert refusal(company, user=maker, scopes=["*"]) == "key.beyond_your_rights"
    assert issue(company, user=maker, scopes=["customers:read"])[0].created_by == maker


def test_a_key_is_revoked_once_and_for_ever(company):
    from core.actors import Actor
    from core.models import AuditEntry
    from core.services import keys

    key, text = issue(company)
    first = keys.revoke_key(key=key, by=Actor.system("tests"), at=AT)
    again = keys.revoke_key(key=key, by=Actor.system("tests"), at=AT)
    assert first.revoked_at == again.revoked_at is not None
    assert keys.find_key(text) is None
    assert AuditEntry.objects.filter(company=company, verb="key.revoke").count() == 1


def test_every_right_is_given_by_a_scope():
    from core.rights import RIGHTS
    from core.services.keys import SCOPES, rights_of_scopes

    assert rights_of_scopes(["*"]) == frozenset(RIGHTS)
    assert rights_of_scopes(SCOPES) == frozenset(RIGHTS)
    assert [scope for scope in SCOPES if "settings.write" in rights_of_scopes([scope])] == ["settings:write"]
    assert rights_of_scopes(["nothing:read"]) == frozenset()
