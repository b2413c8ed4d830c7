"""The HTTP door: users, keys and limits; gRPC behind it."""
