"""A conversation as a tree of turns."""
