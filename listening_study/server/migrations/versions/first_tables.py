"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make all tables."""
    _small_tables()
    op.create_table(
        "participants",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("pseudonym", sa.String(20), nullable=False),
        sa.Column("join_key", sa.String(64), nullable=False),
        sa.Column("withdrawal_code", sa.String(20), nullable=False),
        sa.Column("list", sa.Integer, nullable=False),
        sa.Column("consent_sha256", sa.String(64), nullable=False),
        sa.Column("device", sa.String(10), nullable=False),
        sa.Column("joined_ms", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_participants"),
        sa.UniqueConstraint("pseudonym", name="uq_participants_pseudonym"),
        sa.UniqueConstraint("join_key", name="uq_participants_join_key"),
        sa.UniqueConstraint("withdrawal_code", name="uq_participants_withdrawal_code"),
        sa.ForeignKeyConstraint(["consent_sha256"], ["consent_texts.sha256"], name="fk_participants_consent_sha256"),
    )
    op.create_table(
        "events",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("participant_id", sa.String(40), nullable=False),
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("trial_id", sa.String(20)),
        sa.Column("session", sa.String(64), nullable=False),
        sa.Column("payload", sa.JSON, nullable=False),
        sa.Column("at_ms", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_events"),
        sa.UniqueConstraint("participant_id", "key", name="uq_events_participant_id"),
        sa.ForeignKeyConstraint(["participant_id"], ["participants.id"], name="fk_events_participant_id"),
    )
    op.create_index("ix_events_kind_participant_id", "events", ["kind", "participant_id"])


def _small_tables() -> None:
    op.create_table(
        "settings",
        sa.Column("name", sa.String(40), nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_settings"),
    )
    op.create_table(
        "consent_texts",
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("sha256", name="pk_consent_texts"),
    )
    op.create_table(
        "raw_posts",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("at_ms", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_raw_posts"),
        sa.UniqueConstraint("sha256", name="uq_raw_posts_sha256"),
    )
    op.create_table(
        "withdrawals",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_withdrawals"),
    )


def downgrade() -> None:
    """Drop all tables."""
    for name in ("events", "participants", "withdrawals", "raw_posts", "consent_texts", "settings"):
        op.drop_table(name)
