"""How people sign in, with the mailed code in the words of the company they belong to.

The rule that matters: the code is mailed at once and kept nowhere but in the session that asked for it; who belongs to
no company, or to several, gets the product's words.
"""

from __future__ import annotations

from typing import Any, Final

from django.core.mail import EmailMessage, EmailMultiAlternatives
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from core import smtp
from core.accounts import AccountAdapter as CoreAdapter
from core.models import Company, Membership
from customers.models import Contact
from customers.services import mail_layout, mail_texts, messages

CODE: Final = "sign_in_code"
_ASKED: Final = "account/email/login_code"


class AccountAdapter(CoreAdapter):
    """The code in the words of the company, where there is just one."""

    def render_mail(
        self,
        template_prefix: str,
        email: str | list[str],
        context: dict[str, Any],
        headers: dict[str, str] | None = None,
    ) -> EmailMessage:
        """The mail; with a code it is the company's text, from its sender, in its layout."""
        mail: EmailMessage = super().render_mail(template_prefix, email, context, headers=headers)
        address = email if isinstance(email, str) else next(iter(email), "")
        company = company_of(address) if template_prefix == _ASKED else None
        if company is None:
            return mail
        language = get_language() or company.language
        said = mail_texts.compose(company=company, name=CODE, language=language, facts={"code": str(context["code"])})
        own = EmailMultiAlternatives(
            said.subject, said.body, messages.sender_of(company), mail.to, headers=headers,
            connection=smtp.connection_for(company) if company.is_live else None,
        )  # fmt: skip
        if company.mails_have_html:
            html = mail_layout.html_of(
                company, language=language, subject=said.subject, body=said.body, with_logo=False
            )
            own.attach_alternative(html, "text/html")
        return own


def company_of(address: str) -> Company | None:
    """The one company whose staff or customers sign in by this address; None where there are several, or none."""
    contacts = Contact.objects.filter(user__email__iexact=address, archived_at__isnull=True)
    staff = Membership.objects.filter(user__email__iexact=address)
    found = {*contacts.values_list("company_id", flat=True), *staff.values_list("company_id", flat=True)}
    return Company.objects.get(pk=found.pop()) if len(found) == 1 else None


mail_texts.register(
    CODE,
    title=_("Code to sign in"),
    purpose=_("When a person of one company alone asks for a code to sign in."),
    placeholders={"code": _("The code")},
    category="contract",
)
