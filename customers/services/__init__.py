"""Verbs of the customers room: customers and their addresses, contacts, notes, messages; one timeline."""
