"""References to tokens, and what can be read off their records."""
