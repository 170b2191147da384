"""What every screen over a conversation has."""
