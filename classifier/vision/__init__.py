"""Photographs in, aligned faces out. No Django here."""
