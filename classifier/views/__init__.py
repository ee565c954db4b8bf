"""The site's pages. Each view parses, calls one function, replies."""
