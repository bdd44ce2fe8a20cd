"""Keys that lead somewhere: each of its own, each told on the keyboard's page."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from tests.backoffice.conftest import Office

pytestmark = pytest.mark.django_db


def keys_of(page: str) -> list[str]:
    return re.findall(r'data-go="(.)"', page)


def test_no_key_leads_to_two_places(office: Office) -> None:
    found = Counter(keys_of(office.client().get("/office/").content.decode()))
    assert len(found) > 20
    assert [key for key, times in found.items() if times > 1] == []


def test_the_keyboards_page_tells_every_key_that_leads_somewhere(office: Office) -> None:
    page = office.client().get("/office/keys/").content.decode()
    told = re.findall(r"<kbd>g</kbd><kbd>(.*?)</kbd>", page.split("<main")[1].split("</main>")[0])
    assert sorted(told) == sorted(keys_of(page))
