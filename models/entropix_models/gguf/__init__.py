"""Import of GGUF files."""
