"""Events of customers, their contacts, and what became of mails to them."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from core.services.event_types import register

_ID = "01k2v9gq4m5xk8r3h7d1w6n0tz"
_CUSTOMER = {"id": f"cus_{_ID}", "kind": "business", "external_id": "4711"}
_CONTACT = {"id": f"con_{_ID}", "role": "billing"}
_ADDRESS = {"id": f"sup_{_ID}", "reason": "bounced", "scope": "all"}
_MESSAGE = {"id": f"msg_{_ID}", "template": "invoice"}

register(
    {
        "customer.created": (_("A customer was made."), _CUSTOMER),
        "customer.updated": (_("A customer or an address of theirs changed; the fields are named."), _CUSTOMER | {
            "fields": ["email"],
        }),
        "customer.archived": (_("A customer was archived."), _CUSTOMER),
        "customer.restored": (_("An archived customer was brought back."), _CUSTOMER),
        "customer.merged": (_("A customer was merged into another one; its documents keep its number."), _CUSTOMER | {
            "into": "cus_01k2v9gq4m5xk8r3h7d1w6n0tb",
        }),
        "customer.found_apart": (_("Two customers that look alike were found to be two."), {
            "id": f"cus_{_ID}", "from": "cus_01k2v9gq4m5xk8r3h7d1w6n0tb",
        }),
        "customer.erased": (_("A customer's personal data were blanked for good."), {
            "id": f"cus_{_ID}", "keep_until_on": "2034-12-31",
        }),
        "customer.vat_checked": (_("The state of a customer's VAT id changed after it was asked about."), {
            "id": f"cus_{_ID}", "vat_state": "valid", "was": "pending", "proof": "WAPIAAAAW1a2b3c4",
        }),
        "contact.added": (_("A customer got a contact."), _CONTACT),
        "contact.updated": (_("A contact changed; the fields are named."), _CONTACT | {"fields": ["email"]}),
        "contact.archived": (_("A contact was archived."), _CONTACT),
        "contact.invited": (_("A contact was invited to the portal."), _CONTACT),
        "message.bounced": (_("A mail could not be delivered."), _MESSAGE),
        "message.complained": (_("A mail was reported as spam."), _MESSAGE),
        "mail_address.suppressed": (_("No mail, or no advertising, is sent to an address any more."), _ADDRESS),
        "mail_address.lifted": (_("Mail is sent to an address again."), _ADDRESS),
    }
)  # fmt: skip
