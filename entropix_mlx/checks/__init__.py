"""Recorded runs under their model once more, and a machine held against known numbers."""
