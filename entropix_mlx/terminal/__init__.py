"""What a terminal can show: glyphs, visible control characters, colours."""
