"""The outbound edge: what the core needs from the world, one module per peer."""
