"""The pages of the portal, one module a noun."""
