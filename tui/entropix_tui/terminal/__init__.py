"""The terminal under the screen: its driver, and how it ends."""
