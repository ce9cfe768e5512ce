"""Finders of anatomical landmarks, one module per bone."""
