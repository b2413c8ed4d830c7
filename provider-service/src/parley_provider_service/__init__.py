"""Talks to the models through plugins; owns settings, catalogue and usage."""
