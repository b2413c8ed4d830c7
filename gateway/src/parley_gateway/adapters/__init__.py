"""Where the outside is reached: PostgreSQL, and the services over gRPC."""
