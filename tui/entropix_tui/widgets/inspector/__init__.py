"""Everything that can be known of one token."""
