"""Pages of the back office, one module a noun. A view fetches, calls the verb, answers; it holds no rule."""
