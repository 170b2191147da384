"""Text to ids and back, chat templates, bytes of tokens."""
