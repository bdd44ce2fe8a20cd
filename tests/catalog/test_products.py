"""Products: texts by language, codes once, archived instead of deleted."""

from __future__ import annotations

import pytest

from catalog.models import Product
from catalog.services import plans, products
from catalog.services.texts import in_language
from core.models import AuditEntry, Event
from core.refusal import Refused

from .given import AT, BY, company_category


def test_a_product_is_created_with_audit_and_event(company, product):
    assert AuditEntry.objects.filter(verb="product.create", subject_id=product.pk).count() == 1
    assert Event.objects.get(type="product.created").data == {"id": product.ref, "code": "hosting"}


def test_a_code_is_given_once(company, product):
    with pytest.raises(Refused) as refused:
        products.create_product(
            company=company, code="hosting", name={"de": "Zwei"}, tax_category=product.tax_category, by=BY, at=AT
        )
    assert (refused.value.code, refused.value.field) == ("catalog.code_taken", "code")
    assert Product.objects.count() == 1


def test_the_name_in_the_companys_language_is_required(company, product):
    with pytest.raises(Refused) as refused:
        products.create_product(
            company=company, code="b", name={"en": "Only"}, tax_category=product.tax_category, by=BY, at=AT
        )
    assert refused.value.code == "catalog.text_missing"
    assert refused.value.field == "name"


@pytest.mark.parametrize("code", ["", "a b", "ä", "x" * 61, "a/b"])
def test_a_code_has_plain_letters_only(company, product, code):
    with pytest.raises(Refused, match="catalog.code_form"):
        products.create_product(
            company=company, code=code, name={"de": "N"}, tax_category=product.tax_category, by=BY, at=AT
        )


def test_a_name_is_kept_exactly_with_tab_and_backslash_and_formula(company, product):
    name = "=1+1\t\\n 'x'"
    made = products.create_product(
        company=company, code="odd", name={"de": name}, tax_category=product.tax_category, by=BY, at=AT
    )
    assert Product.objects.get(pk=made.pk).name == {"de": name}


def test_a_nul_is_refused(company, product):
    with pytest.raises(Refused, match=r"text\.nul"):
        products.update_product(product=product, changes={"name": {"de": "a\0b"}}, by=BY, at=AT)


def test_an_update_that_changes_nothing_writes_nothing(company, product):
    before = AuditEntry.objects.count()
    products.update_product(product=product, changes={"code": "hosting"}, by=BY, at=AT)
    assert AuditEntry.objects.count() == before


def test_an_update_names_the_changed_fields(company, product):
    products.update_product(product=product, changes={"name": {"de": "Neu"}, "code": "hosting"}, by=BY, at=AT)
    assert Event.objects.get(type="product.updated").data["fields"] == ["name"]


def test_an_unknown_field_is_refused(company, product):
    with pytest.raises(Refused, match=r"field\.unknown"):
        products.update_product(product=product, changes={"price": 3}, by=BY, at=AT)


def test_a_product_of_a_plan_on_sale_is_not_archived(company, product, plan):
    plans.publish_plan(plan=plan, by=BY, at=AT)
    with pytest.raises(Refused) as refused:
        products.archive_product(product=product, by=BY, at=AT)
    assert refused.value.params == {"code": "hosting", "plans": "basic"}


def test_archiving_twice_is_quiet(company, product):
    first = products.archive_product(product=product, by=BY, at=AT)
    second = products.archive_product(product=product, by=BY, at=AT)
    assert first.archived_at == second.archived_at == AT
    assert AuditEntry.objects.filter(verb="product.archive").count() == 1


def test_an_archived_product_joins_no_plan(company, product):
    products.archive_product(product=product, by=BY, at=AT)
    with pytest.raises(Refused, match=r"product\.archived"):
        plans.create_plan(
            company=company, code="p", name={"de": "P"}, items=[plans.PlanItemSpec(product=product)], by=BY, at=AT
        )


def test_a_category_of_another_company_is_refused(company, product):
    category = company_category(company, "exempt")
    category.company_id = company.pk + 1
    with pytest.raises(Refused, match=r"product\.category_unknown"):
        products.update_product(product=product, changes={"tax_category": category}, by=BY, at=AT)


def test_a_text_falls_back_to_the_companys_language():
    assert in_language({"de": "Haus"}, "fr", "de") == "Haus"
    assert in_language({}, "fr", "de") == ""
