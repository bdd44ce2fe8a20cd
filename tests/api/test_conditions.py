"""ETags: what was read is what is changed."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.django_db


@pytest.fixture
def beck(api):
    return api.post("customers", {"name": "Beck"})


def test_what_is_known_is_not_sent_again(api, beck):
    answer = api.get(f"customers/{beck.body['id']}", **{"If-None-Match": beck["ETag"]})
    assert (answer.status_code, answer.content) == (304, b"")
    assert answer["ETag"] == beck["ETag"]


def test_a_change_of_what_was_read_goes_through(api, beck):
    changed = api.patch(f"customers/{beck.body['id']}", {"name": "Becker"}, **{"If-Match": beck["ETag"]})
    assert changed.status_code == 200
    assert changed["ETag"] != beck["ETag"]


def test_a_change_of_something_older_is_refused(api, beck):
    path = f"customers/{beck.body['id']}"
    api.patch(path, {"name": "Becker"})
    answer = api.patch(path, {"name": "Bec"}, **{"If-Match": beck["ETag"]})
    assert (answer.status_code, answer.body["code"]) == (412, "precondition_failed")
    assert api.get(path).body["name"] == "Becker"


def test_expanded_links_do_not_change_the_etag(api, beck):
    assert api.get(f"customers/{beck.body['id']}?expand=contacts")["ETag"] == beck["ETag"]


def test_a_star_matches_anything(api, beck):
    assert api.patch(f"customers/{beck.body['id']}", {"name": "B"}, **{"If-Match": "*"}).status_code == 200
