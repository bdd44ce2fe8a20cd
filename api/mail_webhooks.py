"""The door of mail providers' news: POST /webhooks/mail/<provider>/, for the provider that carries our mail.

What comes is verified and read by django-anymail, and kept before it is acknowledged (`mail_events`). Without a secret
to verify it by, nothing is taken.
"""

from __future__ import annotations

from importlib import import_module
from typing import Final

from anymail.exceptions import AnymailWebhookValidationFailure
from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

#: Each provider's view in django-anymail.
_VIEWS: Final = {
    "brevo": "BrevoTrackingWebhookView",
    "mailgun": "MailgunTrackingWebhookView",
    "mailjet": "MailjetTrackingWebhookView",
    "postmark": "PostmarkTrackingWebhookView",
    "resend": "ResendTrackingWebhookView",
    "sparkpost": "SparkPostTrackingWebhookView",
}
#: Bytes of the largest news that is read.
LARGEST: Final = 2_000_000


@csrf_exempt
def receive(request: HttpRequest, provider: str) -> HttpResponse:
    """200 once it is kept, 400 when its proof doesn't hold or it can't be read, 404 for a provider we don't use."""
    has_proof = settings.ANYMAIL.get("WEBHOOK_SECRET") or settings.ANYMAIL.get("MAILGUN_WEBHOOK_SIGNING_KEY")
    if provider != settings.MAIL_PROVIDER or provider not in _VIEWS or not has_proof:
        return _said(404)
    length = request.META.get("CONTENT_LENGTH") or "0"
    if not length.isdecimal() or int(length) > LARGEST:
        return _said(413)
    view = getattr(import_module(f"anymail.webhooks.{provider}"), _VIEWS[provider]).as_view()
    try:
        with transaction.atomic():
            answer = view(request)
    except (AnymailWebhookValidationFailure, ValueError, KeyError, TypeError):
        return _said(400)
    return _said(answer.status_code)


def _said(status: int) -> HttpResponse:
    response = HttpResponse(status=status, content_type="text/plain; charset=utf-8")
    response["Cache-Control"] = "no-store"
    return response
