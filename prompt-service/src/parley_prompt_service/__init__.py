"""Owns the prompt library."""
