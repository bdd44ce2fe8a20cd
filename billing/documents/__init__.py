"""Issued documents as people read them: the frozen content laid out, put into words and printed as PDF.

One rule matters: everything here reads the snapshot alone, never a row that may have changed since.
"""
