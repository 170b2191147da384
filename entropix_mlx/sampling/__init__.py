"""Metrics, calibrations, and the samplers that act on them."""
