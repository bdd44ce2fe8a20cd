"""All measurements, one after the other: `python -m benchmarks [--large]`. Ends with 1 when a goal was missed."""

from __future__ import annotations

import argparse

from benchmarks import bank, billing_run, collecting, lists, pdf, usage

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="benchmarks")
    parser.add_argument("--large", action="store_true", help="up to a million subscriptions")
    chosen = parser.parse_args()
    met = [
        billing_run.main(large=chosen.large), usage.main(large=chosen.large), bank.main(),
        collecting.main(large=chosen.large), lists.main(large=chosen.large), pdf.main(),
    ]  # fmt: skip
    raise SystemExit(0 if all(met) else 1)
