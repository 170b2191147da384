"""The one thread that owns the model, and what passes between it and the screens."""
