"""Words of this room's refusals: code to sentence, with named placeholders."""

from django.utils.translation import gettext_lazy as _

from core.refusal import register

register({
    "document.not_issued": _("A draft has no document yet; issue it first."),
    "document.altered": _("The stored content of %(number)s is no longer what was issued; it can't be printed."),
    "document.layout_unknown": _("%(number)s names the layout %(template)s, which this version doesn't have."),
    "document.no_recipient": _("There is no e-mail address to send %(number)s to."),
    "company.slug_taken": _("There is already a company with the address name %(value)s."),
    "company.field": _("This field says: %(detail)s"),
    "invoice.move": _("An invoice that is %(state)s can't become %(to)s."),
    "payment.amount": _("The amount must be above zero."),
    "payment.currency": _("The payment is in %(currency)s, the invoice in %(other)s."),
    "payment.other_customer": _("This invoice belongs to another customer."),
    "payment.nothing_open": _("Nothing is open on %(number)s."),
    "payment.more_than_open": _("Only %(open)s is open on %(number)s."),
    "payment.more_than_left": _("Only %(left)s of the payment is left."),
    "payment.received_range": _("%(day)s can't be the day the money came."),
    "payment.books_closed": _("The books are closed through %(day)s."),
    "payment.not_settled": _("This payment is %(state)s; it can't be used."),
    "payment.refunded_already": _("Part of this payment was paid out again; it can't be taken back whole."),
    "payment.customer_missing": _("Name the customer the payment belongs to."),
    "credit.too_little": _("Only %(left)s of credit is left."),
    "refund.move": _("A refund that is %(state)s can't become %(to)s."),
    "reason.missing": _("Say why."),
    "preview.differs": _("The figures have changed since the preview. Look at the new ones, then confirm again."),
})
