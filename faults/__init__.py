"""The fault campaign: months of a company's life, struck at named points and at random, against the same life in peace.

How the parts fit
- `town.py`     servers and stand-ins of one world, each a process of its own that can be struck.
- `hand.py`     a process that has the product loaded and forks the ones that do a deed: ticks, relay, payments, a dump.
- `story.py`    the company and its customers, by seed.
- `plan.py`     the injections, by seed: kinds, named points, quotas.
- `strikes.py`  how each kind of injection is carried out.
- `life.py`     the months, day by day; after each day's faults the machines go on undisturbed until nothing waits.
- `dump.py`     the canonical end state, and what must hold of it by itself.
- `planted.py`  twelve faults as patches of the product, which fit its source exactly, and what is aimed at each.
- `mutants.py`  plants them in copies and strikes; what the campaign's judgement finds catches them.

Run it: python -m faults [--seed N] [--months N] [--customers N] [--injections N]
"""
