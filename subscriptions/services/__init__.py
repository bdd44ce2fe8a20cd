"""Verbs of what is agreed: starting, ending, renewing, and the recurring revenue they move."""
