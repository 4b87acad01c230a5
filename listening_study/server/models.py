"""What is kept, in SQLite or PostgreSQL alike. Rows are added, and deleted by a withdrawal alone; none is changed.

There is no account, address or browser in it: a participant is a random id that only the own page knows, and a
pseudonym for tables. Times are milliseconds since 1970, UTC, of the server.
"""

from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, Integer, MetaData, String, Text, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

NAMES = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}
BIG = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers rows itself only where they are its integers


class Base(DeclarativeBase):
    """Root of all tables."""

    metadata = MetaData(naming_convention=NAMES)


class Setting(Base):
    """A fact about the database itself: which study it belongs to, the key of its sound addresses."""

    __tablename__ = "settings"
    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    value: Mapped[str] = mapped_column(Text)


class ConsentText(Base):
    """A text that participants agreed to, by its hash."""

    __tablename__ = "consent_texts"
    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    text: Mapped[str] = mapped_column(Text)


class Participant(Base):
    """Someone who agreed to take part."""

    __tablename__ = "participants"
    id: Mapped[str] = mapped_column(String(40), primary_key=True)  # in the address of the own page
    pseudonym: Mapped[str] = mapped_column(String(20), unique=True)  # in tables
    join_key: Mapped[str] = mapped_column(String(64), unique=True)  # a repeated request joins once
    withdrawal_code: Mapped[str] = mapped_column(String(20), unique=True)
    list: Mapped[int] = mapped_column(Integer)
    consent_sha256: Mapped[str] = mapped_column(ForeignKey("consent_texts.sha256"))
    device: Mapped[str] = mapped_column(String(10))  # phone, tablet, computer or other
    joined_ms: Mapped[int] = mapped_column(BigInteger)


class Event(Base):
    """Something that a participant did; an answer counts from the first event of its trial."""

    __tablename__ = "events"
    __table_args__ = (
        UniqueConstraint("participant_id", "key"),
        Index("ix_events_kind_participant_id", "kind", "participant_id"),
    )
    id: Mapped[int] = mapped_column(BIG, primary_key=True, autoincrement=True)
    participant_id: Mapped[str] = mapped_column(ForeignKey("participants.id"))
    key: Mapped[str] = mapped_column(String(64))  # made by the page, so that what is sent twice is stored once
    kind: Mapped[str] = mapped_column(String(20))  # one of answers.KINDS
    trial_id: Mapped[str | None] = mapped_column(String(20))
    session: Mapped[str] = mapped_column(String(64))  # one visit of the page
    payload: Mapped[dict[str, Any]] = mapped_column(JSON)
    at_ms: Mapped[int] = mapped_column(BigInteger)


class RawPost(Base):
    """A result that a webMUSHRA page sent, as it came."""

    __tablename__ = "raw_posts"
    id: Mapped[int] = mapped_column(BIG, primary_key=True, autoincrement=True)
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    body: Mapped[str] = mapped_column(Text)
    at_ms: Mapped[int] = mapped_column(BigInteger)


class Withdrawal(Base):
    """That somebody withdrew, for the count in a report; nothing says who, when, or from which list."""

    __tablename__ = "withdrawals"
    id: Mapped[int] = mapped_column(BIG, primary_key=True, autoincrement=True)
