"""The test company of `make demo`: two years of believable business, made by acts and ticks alone.

Nothing here writes a row that a verb would write. Everything is deterministic by the day the story was first told.
"""
