"""Models: where weights come from, tokenizers, devices, and the forward pass with its attention.

The only package that knows mlx-lm's inside. It knows no sampler and no threshold. Importing it
imports nothing heavy.
"""
