"""The history of the schema `chat`; only `migrate` runs it."""
