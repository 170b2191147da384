"""The language of conditions over token records, for breakpoints."""
