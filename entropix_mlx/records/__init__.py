"""Host values of a run: token records, the tree that they make, inspections. No MLX."""
