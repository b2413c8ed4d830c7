"""The decisions about providers: no wire, no SQL, no framework."""
