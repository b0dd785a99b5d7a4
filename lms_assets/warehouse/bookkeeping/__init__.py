"""Bookkeeping."""
