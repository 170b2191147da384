"""The entropy x varentropy plane."""
