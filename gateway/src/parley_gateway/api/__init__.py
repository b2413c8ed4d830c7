"""The inbound edge: HTTP in, contracts out; it translates and decides nothing."""
