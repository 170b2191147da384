"""The tasks, one a file, each under its module's name."""
