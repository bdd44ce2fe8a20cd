"""Stand-ins of the card and wallet providers: one process that speaks Stripe's and PayPal's wire formats.

Run it:  python -m standins.providers --folder DIR --stripe-port N --paypal-port N [--seed N] [--faults FILE]

One port per provider, with the provider's own paths at the root. One durable SQLite file in DIR is the truth
about money: what stands in its ledger happened, whatever the client saw. Standard library only.

How the parts fit
- `wire.py`       what a request, an answer, a route and a provider half are (`Provider` is the contract of a half).
- `store.py`      the SQLite file: things, events, deliveries, idempotency keys, money; all inside `Store.transaction`.
- `faults.py`     the seeded plan of what goes wrong, with quotas per kind; asked once for every API request.
- `deliveries.py` webhooks: signed, posted, repeated; duplicated, delayed, shuffled, dropped or forged by plan.
- `exchange.py`   the life of one request: route, admit, fault, idempotency, one transaction, answer, fault again.
- `server.py`     HTTP/1.1 with keep-alive around it.
- `control.py`    the control door `/_control/...`, on every port.
- `stripe_*.py`, `paypal_*.py`, `pages.py`  the two halves and the frame of their hosted pages.

How a provider half is written
- A class with the attributes and methods of `wire.Provider`, listed in `__main__.halves`.
- It adds its routes to its own `Router`: `router.add("POST", "/v1/refunds", create, operation="refunds.create")`.
  `door="api"` (default) is authenticated, faulted and idempotent; `"page"` and `"control"` are none of these.
  `charges=True` says that this operation may take money: outcome faults (declines) are only chosen for those.
- A handler takes a `Call` and returns an `Answer`. It runs inside one transaction (`call.tx`), which is committed
  when it returns, ALSO when the answer is an error such as a decline; it raises `Refused(answer)` to undo everything
  it did and to keep nothing under the idempotency key.
- `call.outcome` is the decline or challenge that the fault plan wants of this payment (a `Fault`), else None.
- Money is booked by `tx.book(...)` exactly when it moves; events by `tx.emit(...)` in the same transaction.
- Time comes from `call.now` (seconds since 1970 on the stand-in's clock, which the control door can move forward).

The control door (JSON in and out, on every port)
- `GET  /_control/health`
- `GET  /_control/money?by=invoice|customer|currency|provider[&provider=][&kind=]`, `GET /_control/ledger[?after=SEQ]`
- `GET  /_control/faults` counts; `POST /_control/faults {"seed": 1, "rules": [...]}` replaces the plan
- `GET  /_control/deliveries`; `POST /_control/deliveries {"mode": "held", "drop": 0.2, ...}` sets the plan
- `POST /_control/deliveries/flush {"workers": 1}` delivers what waits, now, and answers counts
- `POST /_control/deliveries/resend {"event": "evt_..."}`; `{"dropped": true}` resends all that were dropped
- `GET  /_control/endpoints`; `POST /_control/endpoints {"provider", "url", "secret"?, "types"?, "id"?}`
- `GET  /_control/clock`; `POST /_control/clock {"advance": SECONDS}`
- further ones by each half: `/_control/stripe/...` (listed in `stripe_control.py`) and `/_control/paypal/...`

From a test of the product
    process = Popen([sys.executable, "-m", "standins.providers", "--folder", folder], stdout=PIPE, text=True)
    line = process.stdout.readline()   # "stripe on http://127.0.0.1:40001, paypal on http://127.0.0.1:40002"
    client = stripe.StripeClient("sk_test_any", base_addresses={"api": "http://127.0.0.1:40001"})
Register the webhook endpoint, put deliveries on hold (`{"mode": "held"}`) and flush: no test needs to wait.
Where browsers reach a port under another address than the host's, say so with `--stripe-public`, `--paypal-public`.
"""
