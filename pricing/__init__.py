"""The arithmetic of Turnus: money, periods, shares, taxes, totals and the contract clock.

Standard library only: no framework, no clock, no I/O, no words. Every result is exact or rounded once, and every
refusal is an exception with a reason code that a higher floor turns into a sentence.
"""
