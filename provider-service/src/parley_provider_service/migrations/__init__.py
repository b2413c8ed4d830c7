"""The history of the schema `provider`; only `migrate` runs it."""
