"""The inbound edge: translates calls into the core's words, and decides nothing."""
