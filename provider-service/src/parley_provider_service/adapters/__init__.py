"""The world's side: plugins, PostgreSQL, prices."""
