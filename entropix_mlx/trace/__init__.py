"""Traces on disk: JSON Lines, the attention file beside them, saved sessions."""
