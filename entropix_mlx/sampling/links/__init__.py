"""Links of chains, one a module: whatever is in this folder can be chosen by its name."""
