"""The sampler's settings, moved while it generates."""
