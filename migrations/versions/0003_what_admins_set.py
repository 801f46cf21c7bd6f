"""What admins set and do: the queue's mode, limits, blocks, the audit log; weight and origin of each job"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")  # SQLite counts up only INTEGER keys


def upgrade() -> None:
    op.add_column(
        "jobs",
        sa.Column(
            "weight",
            sa.Float(),
            nullable=False,
            server_default="1",
            comment="its owner's share beside others, at the time",
        ),
    )
    op.add_column(
        "jobs",
        sa.Column(
            "most_running",
            sa.Integer(),
            nullable=True,
            comment="it starts while fewer of its owner's run; NULL: whenever it may",
        ),
    )
    op.add_column(
        "jobs",
        sa.Column(
            "guild", sa.String(length=40), nullable=True, comment="server in which it was asked for; NULL elsewhere"
        ),
    )
    op.add_column("jobs", sa.Column("retry_of", ID, nullable=True, comment="the failed job that it repeats"))
    op.execute(
        "UPDATE jobs SET guild = (SELECT conversations.guild FROM turns"
        " JOIN conversations ON conversations.id = turns.conversation_id WHERE turns.id = jobs.turn_id)"
    )
    op.create_index("ix_jobs_person_id_created_at", "jobs", ["person_id", "created_at"])
    op.create_index("ix_jobs_ended_at", "jobs", ["ended_at"])
    op.create_index("uq_jobs_retry_of", "jobs", ["retry_of"], unique=True)
    op.create_table(
        "queue_mode",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("mode", sa.String(length=10), nullable=False, comment="open, paused, draining"),
        sa.PrimaryKeyConstraint("id", name="pk_queue_mode"),
        comment="one row",
    )
    op.create_table(
        "limits",
        sa.Column("guild", sa.String(length=40), nullable=False, comment="server; empty: everywhere"),
        sa.Column("kind", sa.String(length=10), nullable=False, comment="everyone, role, person"),
        sa.Column(
            "subject",
            sa.String(length=70),
            nullable=False,
            comment="role id, or source and id of a person; empty: everyone",
        ),
        sa.Column("waiting", sa.Integer(), nullable=True, comment="jobs at once; NULL, here and below: not set"),
        sa.Column("running", sa.Integer(), nullable=True, comment="jobs at once"),
        sa.Column("steps", sa.Integer(), nullable=True, comment="of one job"),
        sa.Column("side", sa.Integer(), nullable=True, comment="pixels"),
        sa.Column("per_day", sa.Integer(), nullable=True, comment="jobs in any 24 hours that did not come to nothing"),
        sa.Column("weight", sa.Float(), nullable=True, comment="share beside others; 1 is usual"),
        sa.PrimaryKeyConstraint("guild", "kind", "subject", name="pk_limits"),
        comment="what admins allow, and to whom",
    )
    op.create_table(
        "blocks",
        sa.Column("guild", sa.String(length=40), nullable=False, comment="server; empty: everywhere"),
        sa.Column("source", sa.String(length=20), nullable=False),
        sa.Column(
            "external_id",
            sa.String(length=40),
            nullable=False,
            comment="of a person who need not have asked for anything yet",
        ),
        sa.Column("reason", sa.Text(), nullable=False, comment="for the person; may be empty"),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("guild", "source", "external_id", name="pk_blocks"),
        comment="who may ask for nothing",
    )
    op.create_table(
        "audit",
        sa.Column("id", ID, nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("guild", sa.String(length=40), nullable=False, comment="server in which the admin acted"),
        sa.Column("actor", sa.String(length=40), nullable=False, comment="the admin, by the front end's id"),
        sa.Column("actor_name", sa.String(length=100), nullable=False, comment="as it was then"),
        sa.Column("act", sa.String(length=20), nullable=False),
        sa.Column(
            "subject",
            sa.String(length=120),
            nullable=False,
            comment="job, person or role; never what was asked for",
        ),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
        comment="every act of an admin",
    )
    op.create_index("ix_audit_guild", "audit", ["guild"])


def downgrade() -> None:
    op.drop_table("audit")
    op.drop_table("blocks")
    op.drop_table("limits")
    op.drop_table("queue_mode")
    op.drop_index("uq_jobs_retry_of", "jobs")
    op.drop_index("ix_jobs_ended_at", "jobs")
    op.drop_index("ix_jobs_person_id_created_at", "jobs")
    with op.batch_alter_table("jobs") as batch:
        for column in ("retry_of", "guild", "most_running", "weight"):
            batch.drop_column(column)
