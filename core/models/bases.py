"""What rows have in common: an owner company, an id for the outside, a cap on their names."""

from __future__ import annotations

import uuid
from typing import ClassVar, Self

from django.db import models

from core.ids import decode, encode, new_id

NAME_LENGTH = 200


class Addressed(models.Model):
    """A row that the outside may name. `PREFIX` opens its outside id, `ref` is that id."""

    PREFIX: ClassVar[str]

    public_id = models.UUIDField(
        default=new_id, unique=True, editable=False, help_text="Id shown outside, a UUID version 7."
    )

    class Meta:
        abstract = True

    @property
    def ref(self) -> str:
        return encode(self.PREFIX, self.public_id)

    @classmethod
    def public_id_of(cls, ref: str) -> uuid.UUID:
        """The UUID behind an outside id of this kind; `BadId` otherwise."""
        return decode(cls.PREFIX, ref)

    @classmethod
    def by_ref(cls, rows: models.QuerySet[Self], ref: str) -> Self:
        """The row of `rows` with this outside id; `DoesNotExist` or `BadId` otherwise."""
        return rows.get(public_id=cls.public_id_of(ref))


class CompanyOwned(models.Model):
    """A row of one company. Composite keys in the schema keep rows of two companies apart.

    The company alone has no index: with one company it would lead to every row, and be taken for the composite key's
    by a plan made while the table was small.
    """

    company = models.ForeignKey(
        "core.Company", models.PROTECT, related_name="+", db_index=False, help_text="The company this row belongs to."
    )

    class Meta:
        abstract = True


class CompanyKeyed(models.Model):
    """A row of one company that a composite key of the schema ties to it, without a second check."""

    company = models.ForeignKey(
        "core.Company",
        models.PROTECT,
        related_name="+",
        db_constraint=False,
        db_index=False,
        help_text="The company this row belongs to.",
    )

    class Meta:
        abstract = True
