"""A recorded conversation as a film."""
