"""What a screen knows of a debugged answer."""
