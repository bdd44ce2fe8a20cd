"""Words of what this door itself refuses, before any verb is asked. Each code has one HTTP status."""

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from core.refusal import register

WORDS = {
    "malformed_json": _("The body is not valid JSON: %(reason)s"),
    "body_not_an_object": _("The body must be a JSON object."),
    "body_too_large": _("The body is larger than %(limit)s bytes."),
    "body_too_deep": _("The body is nested more than %(limit)s levels deep."),
    "duplicate_name": _("The name %(name)s appears twice in one object."),
    "text_not_storable": _("This text holds a NUL character or half a surrogate pair, which can't be stored."),
    "number_too_long": _("This number has too many digits."),
    "unsupported_media_type": _("Send JSON, with Content-Type: application/json."),
    "method_not_allowed": _("This address doesn't know the method %(method)s."),
    "key_missing": _("Send a key in the header Authorization: Bearer sk_..."),
    "key_invalid": _("This key is unknown, has expired or was revoked."),
    "scope_missing": _("This key lacks the scope %(scope)s."),
    "invalid_input": _("Some values can't be accepted; see errors."),
    "unknown_field": _("There is no such field here."),
    "unknown_parameter": _("There is no such parameter here."),
    "invalid_parameter": _("This parameter can't be read: %(reason)s"),
    "invalid_ref": _("There is nothing with this id here."),
    "amount_form": _('Send amounts as decimal text, such as "12.50": digits, one point, a minus at most.'),
    "amount_range": _("This amount is outside what can be billed."),
    "amount_places": _("This currency has at most %(places)s decimal places."),
    "amount_negative": _("This amount can't be below zero."),
    "date_form": _("Send dates as YYYY-MM-DD, from 1900 to 2999."),
    "instant_form": _("Send instants with their offset, such as 2026-01-31T12:00:00Z."),
    "period_form": _("A period needs both days, and its end lies after its start."),
    "metadata_form": _("Send up to 50 keys of at most 60 characters, with texts of at most 500, numbers or booleans."),
    "object_form": _("Send an object."),
    "mapping_once": _("Send the mapping once, as `mapping` or as `mapping_toml`."),
    "base64_form": _("Send the file's bytes in base64."),
    "texts_form": _('Send an object of texts by language, such as {"en": "Seat"}.'),
    "idempotency_key_malformed": _("An Idempotency-Key has 1 to 255 visible ASCII characters."),
    "idempotency_key_reused": _("This Idempotency-Key was used for another request."),
    "idempotency_key_in_use": _("A request with this Idempotency-Key is being carried out."),
    "precondition_failed": _("This was changed since you read it; read it again."),
    "rate_limited": ngettext_lazy(
        "Too many requests; wait %(seconds)s second.", "Too many requests; wait %(seconds)s seconds.", "seconds"
    ),
    "conflict": _("This collides with something that exists already."),
    "busy": _("Others are changing the same things; try again."),
    "file_unreachable": _("Where files are kept doesn't answer; try again in a minute."),
    "internal_error": _("Something went wrong on our side; it was noted under %(request_id)s."),
    "bad_request": _("The request can't be understood."),
}
register(WORDS)
