"""The application's widgets, one a file."""
