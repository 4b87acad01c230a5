"""Changes of the tables, in the form of alembic; database.py applies them."""
