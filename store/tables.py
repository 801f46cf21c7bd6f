"""The tables, and nothing else. Every change here needs a migration; a test compares the two.

Times are seconds since 1970 in UTC, as floats: they are shown and measured with, and nothing is
ordered by them, since a machine's clock may jump. Ids that other systems give are text.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Id = BigInteger().with_variant(Integer, "sqlite")  # SQLite counts up only INTEGER keys
WAITING_ONLY = text("state = 'waiting'")
RUNNING_ONLY = text("state = 'running'")
UNDELIVERED = text("delivered_at IS NULL AND place IS NOT NULL")

guild_settings = Table(
    "guild_settings",
    metadata,
    Column("guild", String(40), primary_key=True),
    Column("settings", JSON, nullable=False),
    comment="what a server's admins have set",
)

people = Table(
    "people",
    metadata,
    Column("id", Id, primary_key=True),
    Column("source", String(20), nullable=False, comment="discord, terminal"),
    Column("external_id", String(40), nullable=False),
    Column("name", String(100), nullable=False, comment="as last seen"),
    Column("last_tag", Float, nullable=False, comment="virtual time at which this person's queued work ends"),
    UniqueConstraint("source", "external_id"),
    comment="whoever has asked for something",
)

conversations = Table(
    "conversations",
    metadata,
    Column("id", Id, primary_key=True),
    Column("source", String(20), nullable=False),
    Column("guild", String(40), comment="NULL outside a server"),
    Column("channel", String(40), nullable=False, comment="channel, thread or terminal session"),
    UniqueConstraint("source", "channel"),
    comment="one channel's talk with Darkroom",
)

turns = Table(
    "turns",
    metadata,
    Column("id", Id, primary_key=True),
    Column("conversation_id", Id, ForeignKey("conversations.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("person_id", Id, ForeignKey("people.id", ondelete="CASCADE"), index=True, comment="NULL: Darkroom spoke"),
    Column("said", Text, nullable=False),
    Column("message", String(40), comment="the message that carries it, where there is one"),
    Column("created_at", Float, nullable=False),
    comment="one message of a conversation",
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", Id, primary_key=True),
    Column("turn_id", Id, ForeignKey("turns.id", ondelete="SET NULL"), index=True),
    Column("person_id", Id, ForeignKey("people.id", ondelete="CASCADE"), nullable=False),
    Column("request", JSON, nullable=False),
    Column(
        "place",
        JSON(none_as_null=True),
        comment="where the front end wants the answer; NULL: nobody waits for a delivery",
    ),
    Column("state", String(10), nullable=False, comment="waiting, running, done, failed, cancelled"),
    Column("priority", Integer, nullable=False, comment="lower runs first; 0 is usual"),
    Column("tag", Float, nullable=False, comment="virtual time at which the job may start (start-time fair queueing)"),
    Column("entered", Float, nullable=False, server_default="0", comment="virtual time when it was put in the queue"),
    Column("cost", Float, nullable=False, comment="steps x megapixels; without a picture, what was used of them"),
    Column("attempt", Integer, nullable=False, comment="how often it was handed to a worker"),
    Column("deaths", Integer, nullable=False, comment="how many workers died on it"),
    Column("created_at", Float, nullable=False),
    Column("started_at", Float, comment="of the last attempt"),
    Column("ended_at", Float),
    Column("reason", Text, comment="why it ended without a picture, for the person"),
    Column("reference", String(40), comment="the same id stands in the log"),
    Column("delivered_at", Float),
    Index("ix_jobs_order", "priority", "tag", "id", sqlite_where=WAITING_ONLY, postgresql_where=WAITING_ONLY),
    Index("ix_jobs_person_id_state", "person_id", "state"),
    Index("ix_jobs_running", "id", sqlite_where=RUNNING_ONLY, postgresql_where=RUNNING_ONLY),
    Index("ix_jobs_undelivered", "id", sqlite_where=UNDELIVERED, postgresql_where=UNDELIVERED),
    comment="a request in the queue, and what became of it",
)

queue_clock = Table(
    "queue_clock",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("virtual_time", Float, nullable=False, comment="tag of the job claimed last"),
    comment="one row",
)

runs = Table(
    "runs",
    metadata,
    Column("id", Id, primary_key=True),
    Column("job_id", Id, ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("facts", JSON, nullable=False),
    Column("trajectory", String(64), comment="content hash of the stored steps; NULL: not kept"),
    Column("created_at", Float, nullable=False),
    comment="one execution of a job that made a picture",
)

pictures = Table(
    "pictures",
    metadata,
    Column("id", Id, primary_key=True),
    Column("run_id", Id, ForeignKey("runs.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("person_id", Id, ForeignKey("people.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("parent_id", Id, ForeignKey("pictures.id", ondelete="SET NULL"), index=True, comment="made from"),
    Column("content", String(64), nullable=False, index=True, comment="content hash of the file"),
    Column("suffix", String(8), nullable=False),
    Column("created_at", Float, nullable=False),
    comment="a picture that a person has",
)
