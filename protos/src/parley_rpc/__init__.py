"""How Parley's services speak their contracts to each other."""
