"""The transcript on screen, its legend and its search."""
