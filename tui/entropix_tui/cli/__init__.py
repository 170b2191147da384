"""The command `entropix-tui`."""
