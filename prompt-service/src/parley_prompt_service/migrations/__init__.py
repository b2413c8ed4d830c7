"""The history of the schema `prompt`; only `migrate` runs it."""
