"""The debugger's screen."""
