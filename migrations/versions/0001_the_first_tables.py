"""The first tables"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")  # SQLite counts up only INTEGER keys

branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "conversations",
        sa.Column("id", ID, nullable=False),
        sa.Column("source", sa.String(length=20), nullable=False),
        sa.Column("guild", sa.String(length=40), nullable=True, comment="NULL outside a server"),
        sa.Column("channel", sa.String(length=40), nullable=False, comment="channel, thread or terminal session"),
        sa.PrimaryKeyConstraint("id", name="pk_conversations"),
        sa.UniqueConstraint("source", "channel", name="uq_conversations_source_channel"),
        comment="one channel's talk with Darkroom",
    )
    op.create_table(
        "guild_settings",
        sa.Column("guild", sa.String(length=40), nullable=False),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("guild", name="pk_guild_settings"),
        comment="what a server's admins have set",
    )
    op.create_table(
        "people",
        sa.Column("id", ID, nullable=False),
        sa.Column("source", sa.String(length=20), nullable=False, comment="discord, terminal"),
        sa.Column("external_id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False, comment="as last seen"),
        sa.Column(
            "last_tag", sa.Float(), nullable=False, comment="virtual time at which this person's queued work ends"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_people"),
        sa.UniqueConstraint("source", "external_id", name="uq_people_source_external_id"),
        comment="whoever has asked for something",
    )
    op.create_table(
        "queue_clock",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("virtual_time", sa.Float(), nullable=False, comment="tag of the job claimed last"),
        sa.PrimaryKeyConstraint("id", name="pk_queue_clock"),
        comment="one row",
    )
    op.create_table(
        "turns",
        sa.Column("id", ID, nullable=False),
        sa.Column("conversation_id", ID, nullable=False),
        sa.Column("person_id", ID, nullable=True, comment="NULL: Darkroom spoke"),
        sa.Column("said", sa.Text(), nullable=False),
        sa.Column(
            "message", sa.String(length=40), nullable=True, comment="the message that carries it, where there is one"
        ),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversations.id"], name="fk_turns_conversation_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name="fk_turns_person_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_turns"),
        comment="one message of a conversation",
    )
    op.create_index("ix_turns_conversation_id", "turns", ["conversation_id"])
    op.create_index("ix_turns_person_id", "turns", ["person_id"])

    op.create_table(
        "jobs",
        sa.Column("id", ID, nullable=False),
        sa.Column("turn_id", ID, nullable=True),
        sa.Column("person_id", ID, nullable=False),
        sa.Column("request", sa.JSON(), nullable=False),
        sa.Column(
            "place",
            sa.JSON(),
            nullable=True,
            comment="where the front end wants the answer; NULL: nobody waits for a delivery",
        ),
        sa.Column("state", sa.String(length=10), nullable=False, comment="waiting, running, done, failed, cancelled"),
        sa.Column("priority", sa.Integer(), nullable=False, comment="lower runs first; 0 is usual"),
        sa.Column(
            "tag",
            sa.Float(),
            nullable=False,
            comment="virtual time at which the job may start (start-time fair queueing)",
        ),
        sa.Column("cost", sa.Float(), nullable=False, comment="steps x megapixels"),
        sa.Column("attempt", sa.Integer(), nullable=False, comment="how often it was handed to a worker"),
        sa.Column("deaths", sa.Integer(), nullable=False, comment="how many workers died on it"),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("started_at", sa.Float(), nullable=True, comment="of the last attempt"),
        sa.Column("ended_at", sa.Float(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True, comment="why it ended without a picture, for the person"),
        sa.Column("reference", sa.String(length=40), nullable=True, comment="the same id stands in the log"),
        sa.Column("delivered_at", sa.Float(), nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name="fk_jobs_person_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["turn_id"], ["turns.id"], name="fk_jobs_turn_id", ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name="pk_jobs"),
        comment="a request in the queue, and what became of it",
    )
    op.create_index(
        "ix_jobs_order",
        "jobs",
        ["priority", "tag", "id"],
        sqlite_where=sa.text("state = 'waiting'"),
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.create_index("ix_jobs_person_id_state", "jobs", ["person_id", "state"])
    op.create_index("ix_jobs_state", "jobs", ["state"])
    op.create_index("ix_jobs_turn_id", "jobs", ["turn_id"])

    op.create_table(
        "runs",
        sa.Column("id", ID, nullable=False),
        sa.Column("job_id", ID, nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column(
            "trajectory",
            sa.String(length=64),
            nullable=True,
            comment="content hash of the stored steps; NULL: not kept",
        ),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_runs_job_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_runs"),
        comment="one execution of a job that made a picture",
    )
    op.create_index("ix_runs_job_id", "runs", ["job_id"])

    op.create_table(
        "pictures",
        sa.Column("id", ID, nullable=False),
        sa.Column("run_id", ID, nullable=False),
        sa.Column("person_id", ID, nullable=False),
        sa.Column("parent_id", ID, nullable=True, comment="made from"),
        sa.Column("content", sa.String(length=64), nullable=False, comment="content hash of the file"),
        sa.Column("suffix", sa.String(length=8), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["parent_id"], ["pictures.id"], name="fk_pictures_parent_id", ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name="fk_pictures_person_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name="fk_pictures_run_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_pictures"),
        comment="a picture that a person has",
    )
    op.create_index("ix_pictures_content", "pictures", ["content"])
    op.create_index("ix_pictures_parent_id", "pictures", ["parent_id"])
    op.create_index("ix_pictures_person_id", "pictures", ["person_id"])
    op.create_index("ix_pictures_run_id", "pictures", ["run_id"])


def downgrade() -> None:

    op.drop_table("pictures")

    op.drop_table("runs")

    op.drop_table("jobs")

    op.drop_table("turns")
    op.drop_table("queue_clock")
    op.drop_table("people")
    op.drop_table("guild_settings")
    op.drop_table("conversations")
