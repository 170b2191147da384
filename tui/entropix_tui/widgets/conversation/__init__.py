"""What looks at a conversation, all of it following one cursor."""
