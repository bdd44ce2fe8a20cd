"""Mails as mail programs save them, for the tests of activities."""

from __future__ import annotations

from collections.abc import Mapping
from email.message import EmailMessage


def a_mail(
    *,
    sender: str = "Ada Lovelace <ada@windkraft.example>",
    to: str = "us@example.com",
    subject: str = "Zählerstände für März",
    text: str = "Bitte rufen Sie mich zurück.\nDanke",
    html: str = "",
    message_id: str = "<m1@windkraft.example>",
    date: str = "Tue, 10 Mar 2026 09:30:00 +0200",
    attached: Mapping[str, bytes] | None = None,
) -> bytes:
    """The bytes of an .eml file."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = sender, to, subject
    if date:
        mail["Date"] = date
    if message_id:
        mail["Message-ID"] = message_id
    if html:
        mail.set_content(html, subtype="html")
    else:
        mail.set_content(text)
    for name, content in (attached or {}).items():
        mail.add_attachment(content, maintype="application", subtype="octet-stream", filename=name)
    return mail.as_bytes()
