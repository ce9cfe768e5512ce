"""Frozen records of a case and the pure edits between them."""
