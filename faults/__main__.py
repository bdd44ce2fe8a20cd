"""`python -m faults`: strikes the product for months and says what came of it; 1 when it is not fine."""

from __future__ import annotations

import argparse
import signal
import sys

from faults import campaign
from faults.plan import planned


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m faults", description="Fault campaign")
    parser.add_argument("--seed", type=int, default=1, help="the same one strikes the same")
    parser.add_argument("--months", type=int, default=13)
    parser.add_argument("--customers", type=int, default=1000)
    parser.add_argument("--step", type=int, default=8, help="days from one look at what is due to the next")
    parser.add_argument("--share", type=float, default=1.0, help="of each quota; at least one of each kind and point")
    parser.add_argument("--kinds", default="", help="only these kinds of injections, with commas")
    chosen = parser.parse_args(arguments)
    kinds = set(chosen.kinds.split(",")) if chosen.kinds else None
    plan = planned(chosen.seed, chosen.share, kinds)
    print(
        f"# seed {chosen.seed}: {len(plan)} injections over {chosen.months} months, {chosen.customers} customers",
        flush=True,
    )
    is_whole = chosen.share >= 1 and kinds is None
    report = campaign.run(
        chosen.seed, chosen.customers, chosen.months, chosen.step, plan, is_whole=is_whole
    )  # fmt: skip
    print("\n".join(report.lines()))
    print("Nothing lost, nothing double, nothing stuck." if report.is_fine else "NOT FINE.")
    return 0 if report.is_fine else 1


if __name__ == "__main__":
    # Told to stop, it takes its worlds down first.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main())
