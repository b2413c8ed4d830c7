"""The history of the schema `gateway`; only `migrate` runs it."""
