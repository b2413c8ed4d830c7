"""Who may come in, and how often: no wire, no SQL, no framework."""
