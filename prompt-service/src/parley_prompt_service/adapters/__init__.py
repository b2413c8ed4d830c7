"""The world's side: PostgreSQL."""
