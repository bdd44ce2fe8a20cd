"""The fault campaign: months of a company's life, struck at named points and at random, against the same life in peace.

How the parts fit
- `town.py`     servers and stand-ins of one world, each a process of its own that can be struck.
- `hand.py`     a process that has the product loaded and forks the ones that do a deed: ticks, relay, payments, a dump.
- `story.py`    the company and its customers, by seed.
- `plan.py`     the injections, by seed: kinds, named points, quotas.
- `strikes.py`  how each kind of injection is carried out.
- `life.py`     the months, day by day; after each day's faults the machines go on undisturbed until nothing waits.
- `dump.py`     the canonical end state, and what must hold of it by itself.
- `mutants.py`  planted faults of the product, each met by the injections aimed at it.

Run it: python -m faults [--seed N] [--months N] [--customers N] [--injections N]
"""
