"""Measures over tokens as strips."""
