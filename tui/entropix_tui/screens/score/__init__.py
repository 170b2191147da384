"""The screen of a scored text."""
