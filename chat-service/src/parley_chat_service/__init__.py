"""Owns conversations and messages, and runs a turn."""
