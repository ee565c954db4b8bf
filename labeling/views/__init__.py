"""The labelers' pages in the admin. Each view parses, calls one function, replies."""
