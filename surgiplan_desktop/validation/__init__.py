"""Metrics that compare a result with a reference."""
