"""The decisions of the prompt library: no wire, no SQL, no framework."""
