"""Styles, colour scales, glossary, and how often things are painted."""
