"""Verbs of billing: settle, issue, credit, void, draft, post, pay."""
