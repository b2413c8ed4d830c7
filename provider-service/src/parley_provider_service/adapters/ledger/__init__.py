"""The ledger in PostgreSQL: what calls used and cost, written once and summed as it is written."""

from parley_provider_service.adapters.ledger.writing import PostgresLedger

__all__ = ["PostgresLedger"]
