"""The way out for mail: plain SMTP or a provider's interface, told apart by live and test company.

One rule matters: mail of a test company never leaves for a real mailbox. It goes to the mail catcher, or nowhere.
"""

from __future__ import annotations

import smtplib
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.core.mail.backends.smtp import EmailBackend
from django.core.mail.message import sanitize_address

from core.models import Company

LOOPBACK = {"localhost", "127.0.0.1", "::1"}


class NoTestMail(Exception):
    """A test company has mail to send, and there is no mail catcher."""


class Backend(EmailBackend):
    """Django's SMTP, which also says which of several recipients the server refused: `mail.refused`."""

    def _send(self, email_message: EmailMessage) -> bool:
        if not email_message.recipients():
            return False
        encoding = email_message.encoding or settings.DEFAULT_CHARSET
        sender = sanitize_address(email_message.from_email, encoding)
        recipients = [sanitize_address(address, encoding) for address in email_message.recipients()]
        assert isinstance(self.connection, smtplib.SMTP)
        content = email_message.message().as_bytes(linesep="\r\n")  # type: ignore[call-arg]
        refused = self.connection.sendmail(sender, recipients, content)
        email_message.refused = refused  # type: ignore[attr-defined]
        return True


def connection_for(company: Company) -> BaseEmailBackend:
    """Where mail of `company` goes. Raises `NoTestMail` where a test company's could reach the world."""
    if company.is_live:
        if settings.MAIL_PROVIDER != "smtp":
            return _connection(backend=f"anymail.backends.{settings.MAIL_PROVIDER}.EmailBackend")
        return _connection()
    if settings.TEST_SMTP:
        host, _colon, port = settings.TEST_SMTP.rpartition(":")
        return _connection(host=host, port=int(port), username="", password="", use_tls=False)
    if settings.EMAIL_BACKEND == "core.smtp.Backend" and settings.EMAIL_HOST not in LOOPBACK:
        raise NoTestMail("mail of test companies goes to a mail catcher only, and TURNUS_TEST_SMTP names none")
    return _connection()


def _connection(**options: Any) -> BaseEmailBackend:
    connection: BaseEmailBackend = get_connection(fail_silently=False, **options)
    return connection
