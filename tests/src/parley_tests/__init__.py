"""What the tests of several parts share: a database, a platform, a peer that speaks a wire."""
