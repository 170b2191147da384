"""The text of a conversation, laid out and painted line by line."""
