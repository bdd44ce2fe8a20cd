"""Who signs in, and what they may do where. Staff and portal people share one user table."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from .bases import NAME_LENGTH, Addressed, CompanyOwned


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        user = self.model(email=email.strip().lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        return self.create_user(email, password, is_superuser=True, **fields)

    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(email__iexact=username or "")


class User(Addressed, AbstractBaseUser):
    """A person who can sign in. Rights come from memberships (staff) or contacts (portal)."""

    PREFIX = "usr"

    email = models.EmailField(
        _("e-mail"), unique=True, help_text=_("Address used to sign in; unique without regard to case.")
    )
    name = models.CharField(_("name"), max_length=NAME_LENGTH, blank=True, help_text=_("Name shown to colleagues."))
    language = models.CharField(
        _("language"), max_length=5, blank=True, help_text=_("Language of the pages; empty: the browser's.")
    )
    is_active = models.BooleanField(_("active"), default=True, help_text=_("Inactive people can't sign in."))
    is_superuser = models.BooleanField(
        _("operator"), default=False, help_text=_("May do everything in every company and read the support tables.")
    )
    created_at = models.DateTimeField(auto_now_add=True, help_text=_("When the account was made."))

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []
    objects = UserManager()

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(Lower("email"), name="user_email_unique")
        ]

    def __str__(self) -> str:
        return self.name or self.email

    @property
    def is_staff(self) -> bool:
        """Django's word for "may open the read-only support tables"."""
        return self.is_superuser

    def has_perm(self, perm: str, obj: object = None) -> bool:
        return self.is_active and self.is_superuser

    def has_module_perms(self, app_label: str) -> bool:
        return self.is_active and self.is_superuser


class Role(CompanyOwned):
    """A named set of rights in one company."""

    name = models.CharField(_("name"), max_length=80, help_text=_("Name of the role, such as Accounting."))
    rights = ArrayField(
        models.CharField(max_length=60),
        default=list,
        blank=True,
        verbose_name=_("rights"),
        help_text=_("Names of the acts this role may do."),
    )

    class Meta:
        ordering = ("name",)
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["company", "name"], name="role_name_unique"),
            models.UniqueConstraint(fields=["company", "id"], name="role_company_key"),
        ]

    def __str__(self) -> str:
        return self.name


class Membership(CompanyOwned):
    """A user works for a company in a role."""

    user = models.ForeignKey(User, models.PROTECT, related_name="memberships", help_text=_("The person."))
    role = models.ForeignKey(Role, models.PROTECT, related_name="memberships", help_text=_("What they may do."))

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["company", "user"], name="membership_unique")
        ]

    def __str__(self) -> str:
        return f"{self.user} / {self.role}"


class ApiKey(CompanyOwned, Addressed):
    """A key of the REST API. Only a hash is kept; the text is shown once, when it is made."""

    PREFIX = "key"

    name = models.CharField(_("name"), max_length=80, help_text=_("What the key is for."))
    prefix = models.CharField(max_length=20, help_text=_("First letters, to recognize the key by."))
    digest = models.CharField(max_length=64, unique=True, help_text=_("SHA-256 of the key, in hexadecimal."))
    scopes = ArrayField(
        models.CharField(max_length=60),
        default=list,
        verbose_name=_("scopes"),
        help_text=_("What the key may do, such as invoices:read; * is everything."),
    )
    created_at = models.DateTimeField(auto_now_add=True, help_text=_("When it was made."))
    created_by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", help_text=_("Who made it.")
    )
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True, help_text=_("When it stops; empty: never."))
    last_used_at = models.DateTimeField(null=True, blank=True, help_text=_("When it was last used."))
    revoked_at = models.DateTimeField(null=True, blank=True, help_text=_("When it was revoked."))

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"
