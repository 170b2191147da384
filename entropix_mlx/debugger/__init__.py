"""gdb for tokens: commands in, host values out."""
