"""What a screen knows of a conversation, its branches, and comparisons of them."""
