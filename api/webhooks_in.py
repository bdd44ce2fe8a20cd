"""The door of payment providers' messages: POST /webhooks/<gateway>/.

The rule that matters: only what is signed and stored is acknowledged; every answer of a kind is the same, and none says
what is known here.
"""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from billing.gateways.base import BadSignature, NotSupported, Unreachable
from billing.models import Gateway
from billing.services import incoming
from core.ids import BadId
from core.refusal import Refused

#: Bytes of the largest message that is read.
LARGEST = 1_000_000
#: Headers that are kept with a message: what its signature needs, and what kind of body it was.
KEPT = ("stripe-", "paypal-", "content-type", "user-agent")


@csrf_exempt
@require_POST
def receive(request: HttpRequest, gateway: str) -> HttpResponse:
    """200 once the message is stored, 400 when its signature doesn't hold, 404 for a gateway that isn't there.

    503 while the provider can't be asked whether the message is its own; it sends it again.
    """
    rows = Gateway.objects.filter(kind__in=(Gateway.Kind.STRIPE, Gateway.Kind.PAYPAL)).select_related("company")
    try:
        account = Gateway.by_ref(rows, gateway)
    except (BadId, Gateway.DoesNotExist):
        return _said(404)
    length = request.META.get("CONTENT_LENGTH") or "0"
    if not length.isdecimal() or int(length) > LARGEST:
        return _said(413)
    body = request.read(LARGEST + 1)
    if len(body) > LARGEST:
        return _said(413)
    headers = {name: value for name, value in request.headers.items() if name.lower().startswith(KEPT)}
    try:
        incoming.receive(gateway=account, body=body, headers=headers)
    except (BadSignature, NotSupported, Refused):
        return _said(400)
    except Unreachable:
        return _said(503)
    return _said(200)


def _said(status: int) -> HttpResponse:
    response = HttpResponse(status=status, content_type="text/plain; charset=utf-8")
    response["Cache-Control"] = "no-store"
    return response
