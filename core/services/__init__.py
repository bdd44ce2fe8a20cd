"""Verbs of the core: audit, events, outbox, jobs, ticks, numbers, files, access."""
