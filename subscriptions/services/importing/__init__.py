"""Importing running subscriptions: a list and a mapping in, customers and agreements out; checked, run, taken back."""

from subscriptions.services.importing import refusals  # noqa: F401  registering is its effect
from subscriptions.services.importing.checking import Problem
from subscriptions.services.importing.mapping import from_toml
from subscriptions.services.importing.undoing import undo
from subscriptions.services.importing.working import start
from subscriptions.services.importing.writing import Outcome, check, run

__all__ = ["Outcome", "Problem", "check", "from_toml", "run", "start", "undo"]
