"""Words of this room's refusals: code to sentence, with named placeholders."""

from django.utils.translation import gettext_lazy as _

from core.refusal import register

register({
    "document.not_issued": _("A draft has no document yet; issue it first."),
    "document.altered": _("The stored content of %(number)s is no longer what was issued; it can't be printed."),
    "document.layout_unknown": _("%(number)s names the layout %(template)s, which this version doesn't have."),
    "document.no_recipient": _("There is no e-mail address to send %(number)s to."),
})
