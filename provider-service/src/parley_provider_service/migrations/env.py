"""What alembic runs: each migration in its own transaction, on the connection it was handed."""

from alembic import context

from parley_provider_service.adapters.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transaction_per_migration=True,
    on_version_apply=context.config.attributes["applied"],
)
with context.begin_transaction():
    context.run_migrations()
