"""The checks of the contract, a module for each thing that they are about."""
