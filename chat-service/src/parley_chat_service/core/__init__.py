"""The decisions of the chat service: no wire, no SQL, no framework."""
