"""What the timeline and the audit log call acts on segments, mailings, offers, reminders and ties."""

from django.utils.translation import gettext_lazy as _

from customers.services import titles

titles.register(
    {
        "segment.create": _("Segment made"),
        "segment.change": _("Segment changed"),
        "segment.archive": _("Segment archived"),
        "bulk_act.prepare": _("Act on many prepared"),
        "bulk_act.start": _("Act on many begun"),
        "bulk_act.stop": _("Act on many stopped"),
        "bulk_act.end": _("Act on many ended"),
        "mailing.save": _("Mailing saved"),
        "mailing.test": _("Mailing sent on trial"),
        "mailing.schedule": _("Mailing scheduled"),
        "mailing.start": _("Mailing begun"),
        "mailing.pause": _("Mailing paused"),
        "mailing.resume": _("Mailing goes on"),
        "mailing.cancel": _("Mailing canceled"),
        "mailing.finish": _("Mailing sent to all"),
        "mailing.accept_offer": _("Offer of a mailing taken"),
        "offer.save": _("Offer saved"),
        "offer.archive": _("Offer archived"),
        "offer.accept": _("Offer taken"),
        "offer.take_back": _("Taken offer taken back"),
        "reminder_rule.save": _("Reminder rule saved"),
        "reminder_rule.switch_off": _("Reminder rule switched off"),
        "reminder_rule.switch_on": _("Reminder rule switched on"),
        "tie.create": _("Tie made"),
        "tie.change": _("Tie changed"),
        "tie.archive": _("Tie archived"),
        "tie.switch_off": _("Tie switched off"),
        "tie.switch_on": _("Tie switched on"),
        "tie.run": _("Tie brought up to date"),
        "tie.retry": _("Records of a tie sent again"),
        "tie.give_file": _("File given to a tie"),
        "tie.create_link": _("Link to the files of a tie made"),
        "tie.revoke_link": _("Link to the files of a tie switched off"),
    }
)
