"""P1: what a document's PDF costs against a plain WeasyPrint call, and what a second process brings.

The plain call prints the same page with the same style and the same two font files, loaded anew as
`HTML(string).write_pdf()` does. Run alone: python -m benchmarks.pdf
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import statistics
import time
from collections.abc import Callable

from django.conf import settings
from weasyprint import HTML

from billing.documents import layout, press, rendering
from billing.documents.content import Content

TEMPLATE = "2026-1"
ROUNDS, DOCUMENTS, PER_PROCESS = 3, 20, 40


def content(number: int) -> Content:
    """An invoice of three lines, each with its own number."""
    seller = {
        "name": "Nordlicht", "legal_name": "Nordlicht Software GmbH", "address_lines": ["Hafenstraße 7"],
        "postal_code": "20457", "city": "Hamburg", "country": "DE", "email": "rechnung@nordlicht.example",
        "phone": "+49 40 123456", "website": "https://nordlicht.example", "vat_id": "DE123456789", "tax_number": "",
        "register_entry": "Amtsgericht Hamburg, HRB 123456", "iban": "DE89370400440532013000", "bic": "COBADEFFXXX",
        "bank_name": "Beispielbank", "accent": "#1f5f8b", "footer": {}, "is_small_business": False,
    }  # fmt: skip
    lines = [
        {
            "position": position, "description": f"Service {position}", "quantity": "2", "unit": "",
            "unit_amount": "19.90", "period_start": "2026-11-01", "period_end": "2026-12-01", "amount": 3980,
            "net": 3980, "tax_category": "S", "tax_rate": "19", "subscription": "SUB-000007",
            "calculation": {"model": "per_unit", "quantity": "2", "unit_amount": "19.90", "interval": "1 month"},
        }
        for position in (1, 2, 3)
    ]  # fmt: skip
    body = {
        "v": 1, "template": TEMPLATE, "kind": "invoice", "number": f"INV-2026-{number:06}", "issued_on": "2026-11-02",
        "payment_due_on": "2026-11-16", "language": "de", "currency": "EUR", "tax_behavior": "exclusive",
        "is_test": False, "po_reference": "", "lines": lines, "net": 11940, "tax": 2269, "gross": 14209,
        "credit_used": 0, "to_pay": 14209,
        "tax_rows": [{"category": "S", "rate": "19", "base": 11940, "tax": 2269, "reason": "standard"}],
        "buyer": {
            "name": "Müller & Söhne OHG", "recipient": "", "lines": ["Gartenweg 12"], "postal_code": "50667",
            "city": "Köln", "region": "", "country": "DE", "vat_id": "", "number": "CUS-000042", "kind": "company",
        },
    }  # fmt: skip
    return Content(body, seller, hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest())


def ours(number: int) -> None:
    rendering.render(content(number))


def plain(number: int) -> None:
    """The same page as anybody would print it."""
    html = press.html_of(TEMPLATE, layout.sheet(content(number)))
    fonts = "".join(
        f"@font-face {{ font-family: Inter; font-weight: {weight};"
        f' src: url("fonts/inter-latin-{weight}-normal.woff2") format("woff2"); }}'
        for weight in (400, 600)
    )
    style = fonts + (press.TEMPLATES / TEMPLATE / "document.css").read_text(encoding="utf-8")
    base = (settings.BASE_DIR / "static").as_uri() + "/"
    head = html.replace("</head>", f"<style>{style}</style></head>").replace('<img class="logo" src="logo:"', "<img")
    HTML(string=head, base_url=base).write_pdf()


def cpu_of(print_one: Callable[[int], None]) -> float:
    begun = time.process_time()
    for number in range(DOCUMENTS):
        print_one(number)
    return (time.process_time() - begun) / DOCUMENTS


def _work(ready: object, go: object) -> None:
    ours(0)
    ready.release()  # type: ignore[attr-defined]
    go.wait()  # type: ignore[attr-defined]
    for number in range(PER_PROCESS):
        ours(number)


def rate_of(processes: int) -> float:
    """Documents a second with so many processes, forked from a warm one as Celery's workers are."""
    fork = multiprocessing.get_context("fork")
    ready, go = fork.Semaphore(0), fork.Event()
    workers = [fork.Process(target=_work, args=(ready, go)) for _ in range(processes)]
    for worker in workers:
        worker.start()
    for _ in workers:
        ready.acquire()
    begun = time.monotonic()
    go.set()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    return processes * PER_PROCESS / (time.monotonic() - begun)


def main() -> bool:
    """Prints both lines of P1; whether both goals were met."""
    ours(0)
    plain(0)
    shares, gains = [], []
    for _ in range(ROUNDS):
        shares.append(cpu_of(ours) / cpu_of(plain))
        gains.append(rate_of(2) / rate_of(1))
    share, gain = statistics.median(shares), statistics.median(gains)
    print(f"P1 must 0.65 aim 0.50 seen {share:.2f} {'ok' if share <= 0.65 else 'MISSED'} (CPU of a PDF / a plain call)")
    print(f"P1 must 1.60 aim 1.90 seen {gain:.2f} {'ok' if gain >= 1.6 else 'MISSED'} (two processes / one)")
    return share <= 0.65 and gain >= 1.6


if __name__ == "__main__":
    raise SystemExit(0 if main() else 1)
