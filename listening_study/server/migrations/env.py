"""Applies migrations to the connection that database.py hands over; alembic loads this file under the name env_py."""

from alembic import context

from listening_study.server.models import Base


def migrate() -> None:
    """Bring the tables of the connection up to date, all changes in one transaction."""
    connection = context.config.attributes["connection"]
    context.configure(connection=connection, target_metadata=Base.metadata)
    context.run_migrations()


if __name__ == "env_py":
    migrate()
