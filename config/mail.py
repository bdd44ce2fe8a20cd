"""Who carries mail: plain SMTP, or one of the common providers, with their keys from the environment.

TURNUS_MAIL_PROVIDER names the provider. TURNUS_MAIL_KEY is its key (Mailjet has a second, TURNUS_MAIL_SECRET_KEY),
TURNUS_MAIL_DOMAIN the sending domain where the provider asks for it, TURNUS_MAIL_API_URL another address of its
interface (such as that of its European servers), TURNUS_MAIL_WEBHOOK_SECRET what proves what it tells: `user:password`
in the address of the webhook, or the signing key of Mailgun.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

#: Every provider with the names its keys have for django-anymail: key, second key, domain, address, signing key.
PROVIDERS: Final[Mapping[str, Mapping[str, str]]] = {
    "brevo": {"key": "BREVO_API_KEY", "url": "BREVO_API_URL"},
    "mailgun": {
        "key": "MAILGUN_API_KEY", "domain": "MAILGUN_SENDER_DOMAIN", "url": "MAILGUN_API_URL",
        "signing": "MAILGUN_WEBHOOK_SIGNING_KEY",
    },
    "mailjet": {"key": "MAILJET_API_KEY", "second": "MAILJET_SECRET_KEY", "url": "MAILJET_API_URL"},
    "postmark": {"key": "POSTMARK_SERVER_TOKEN", "url": "POSTMARK_API_URL"},
    "resend": {"key": "RESEND_API_KEY", "url": "RESEND_API_URL"},
    "sparkpost": {"key": "SPARKPOST_API_KEY", "url": "SPARKPOST_API_URL"},
}  # fmt: skip
SMTP: Final = "smtp"


def provider_of(environment: Mapping[str, str]) -> str:
    """The chosen provider. Raises ValueError for one that is not known."""
    name = environment.get("TURNUS_MAIL_PROVIDER", "").strip().lower() or SMTP
    if name != SMTP and name not in PROVIDERS:
        raise ValueError(f"TURNUS_MAIL_PROVIDER is smtp or one of {', '.join(PROVIDERS)}, not {name!r}")
    return name


def anymail_of(environment: Mapping[str, str]) -> dict[str, object]:
    """The settings django-anymail reads.

    >>> anymail_of({"TURNUS_MAIL_PROVIDER": "postmark", "TURNUS_MAIL_KEY": "k", "TURNUS_MAIL_WEBHOOK_SECRET": "a:b"})
    {'IGNORE_RECIPIENT_STATUS': True, 'REQUESTS_TIMEOUT': 20, 'POSTMARK_SERVER_TOKEN': 'k', 'WEBHOOK_SECRET': ['a:b']}
    """
    found: dict[str, object] = {"IGNORE_RECIPIENT_STATUS": True, "REQUESTS_TIMEOUT": 20}
    names = PROVIDERS.get(provider_of(environment), {})
    for part, variable in (
        ("key", "TURNUS_MAIL_KEY"), ("second", "TURNUS_MAIL_SECRET_KEY"), ("domain", "TURNUS_MAIL_DOMAIN"),
        ("url", "TURNUS_MAIL_API_URL"),
    ):  # fmt: skip
        if part in names and environment.get(variable):
            found[names[part]] = environment[variable]
    secret = environment.get("TURNUS_MAIL_WEBHOOK_SECRET", "")
    if secret:
        found |= {names["signing"]: secret} if "signing" in names else {"WEBHOOK_SECRET": [secret]}
    return found
