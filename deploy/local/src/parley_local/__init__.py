"""The parley command: all of Parley on one machine."""
