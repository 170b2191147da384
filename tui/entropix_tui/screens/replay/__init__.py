"""The replay's screen."""
