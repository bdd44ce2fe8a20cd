"""Verbs of the catalog: products, plans and their prices, tax categories and rates."""
