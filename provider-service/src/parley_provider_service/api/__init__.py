"""The contract's side: translates, decides nothing."""
