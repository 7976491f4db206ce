"""Data sets: the built-in synthetic one, and readers for Market-1501 and CUHK03 in their directory form."""
