"""Keys that can be rebound, and the user's configuration."""
