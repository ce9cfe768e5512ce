"""Fingerprints and the evaluator of results; knows nothing of medicine."""
