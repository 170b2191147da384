"""The terminal application: screens and widgets over the engine's records."""
