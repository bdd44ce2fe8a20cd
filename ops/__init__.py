"""The launcher: set-up, embedded servers, supervisor.

Standard library only: it runs before anything is installed, and imports no room of the product.
"""
