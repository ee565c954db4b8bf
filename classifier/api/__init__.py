"""The same functions as the pages', for programs."""
