"""Words of this room's refusals: code to sentence, with named placeholders."""

from django.utils.translation import gettext_lazy as _

from core.refusal import register

register(
    {
        "customer.external_id_taken": _("There is already a customer with the external id %(value)s."),
        "customer.email_form": _("%(value)s is no e-mail address."),
        "customer.vat_id_form": _("%(value)s is no VAT id; mind the country letters and every digit."),
        "customer.vat_state_without_id": _("Without a VAT id there is nothing to check."),
        "vat_check.no_id": _("This customer has no VAT id to check."),
        "vat_check.not_eu": _("%(value)s is no VAT id of a member state; nobody can be asked about it."),
        "vat_check.no_service": _("No service is configured for checking the VAT ids of this company's customers."),
        "customer.metadata_form": _("Further data are keys and values, at most %(limit)s characters in all."),
        "customer.person_with_vat_id": _("A person has no VAT id; make the customer a company first."),
        "customer.archived": _("This customer is archived. Restore it first."),
        "customer.merged": _("%(number)s was merged into %(into)s: go on there."),
        "address.lines": _("An address has at most four lines above the town, each of at most %(limit)s characters."),
        "contact.archived": _("This contact is archived."),
        "contact.without_email": _("This contact has no e-mail address to invite."),
        "contact.user_taken": _("Another contact of this customer already signs in with this address."),
        "unsubscribe.invalid": _("This link is not valid. Please use the one in the mail."),
        "mail_text.unknown": _("There is no mail %(name)s in the language %(language)s."),
        "mail_text.empty": _("A mail needs a subject and a text."),
        "mail_text.no_address": _("Your own account has no e-mail address to send it to."),
        "mail_text.long": _("At most %(limit)s characters."),
        "mail_text.unknown_placeholder": _("%(name)s is no placeholder of this mail."),
        "contact.user_inactive": _("This person's account is switched off."),
    }
)
