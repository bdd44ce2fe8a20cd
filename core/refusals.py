"""Words of the core's refusals."""

from django.utils.translation import gettext_lazy as _

from core.refusal import register

register(
    {
        "company.clock_is_real": _("A live company follows the real clock; only test companies can be advanced."),
        "company.clock_goes_forward": _("The clock only moves forward; it stands at %(now)s."),
        "company.clock_too_far": _("The clock moves by at most %(days)s days at once."),
        "company.setting": _("This field says: %(detail)s"),
        "company.pattern": _("A number's pattern names {year} and {number}, such as INV-{year}-{number:06}."),
        "company.books_reopen": _("The books are closed through %(day)s; closed books stay closed."),
        "company.logo": _("A logo is a PNG, JPEG or SVG picture of at most 1 MB."),
        "people.email_form": _("%(value)s is no e-mail address."),
        "people.member_already": _("%(value)s works for this company already."),
        "people.last_admin": _("Somebody who may change settings and people has to stay."),
        "people.role_taken": _("There is already a role named %(value)s."),
        "not_found": _("There is nothing with this id here."),
        "key.name_missing": _("A key needs a name that says what it is for."),
        "key.needs_a_scope": _("A key needs at least one scope."),
        "key.unknown_scope": _("There is no scope %(scope)s."),
        "key.expires_in_the_past": _("A key can't end before it begins."),
        "key.beyond_your_rights": _("A key can't do more than the person who makes it."),
        "webhook.url_form": _("An address looks like https://example.com/webhooks, without spaces, user name or #."),
        "webhook.url_https": _("A live company's webhooks go to addresses that begin with https://."),
        "webhook.url_port": _("Port %(port)s is not one for the web; 443 and those from 1024 on are."),
        "webhook.url_unknown": _("There is no server named %(host)s."),
        "webhook.url_private": _("%(host)s leads to %(address)s, which is not on the public internet."),
        "webhook.no_types": _("Choose at least one kind of event."),
        "webhook.type_unknown": _("There are no events named %(value)s."),
        "webhook.too_many": _("A company can have %(most)s endpoints in use."),
        "webhook.overlap": _("The previous secret can go on for at most %(most)s hours."),
        "webhook.not_active": _("This endpoint is switched off; use it again first."),
        "webhook.too_long_ago": _("Deliveries can be sent again for the last %(days)s days."),
        "text.form": _("A text is expected here."),
        "text.nul": _("This text holds a NUL character, which can't be stored."),
        "text.not_unicode": _("This text is not valid Unicode."),
        "text.too_long": _("This text has %(length)s characters; at most %(limit)s are possible."),
        "text.required": _("This field is required."),
        "field.unknown": _("There is no field %(name)s here."),
        "field.choice": _("%(value)s is none of: %(choices)s."),
        "country.unknown": _("%(value)s is no country code; it has two capital letters, such as DE."),
        "currency.unknown": _("%(value)s is no currency that can be billed; an example is EUR."),
        "time_zone.unknown": _("%(value)s is no time zone; an example is Europe/Berlin."),
        "language.unknown": _("%(value)s is no language of this system; these are: %(choices)s."),
        "number.range": _("%(value)s is not between %(least)s and %(most)s."),
        "day.form": _("A day is expected here."),
        "day.range": _("%(value)s is not between %(least)s and %(most)s."),
        "number.form": _("A number is expected here."),
        "number.places": _("%(value)s has more than %(places)s decimal places."),
    }
)
