"""When, in virtual time, a job was put in the queue; indexes that SQLite does choose"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

RUNNING = sa.text("state = 'running'")
UNDELIVERED = sa.text("delivered_at IS NULL AND place IS NOT NULL")
COST = "steps x megapixels"


def upgrade() -> None:
    op.execute("UPDATE jobs SET place = NULL WHERE CAST(place AS VARCHAR) = 'null'")
    with op.batch_alter_table("jobs") as batch:
        batch.add_column(
            sa.Column(
                "entered",
                sa.Float(),
                nullable=False,
                server_default="0",
                comment="virtual time when it was put in the queue",
            )
        )
        batch.alter_column(
            "cost",
            existing_type=sa.Float(),
            existing_nullable=False,
            existing_comment=COST,
            comment=f"{COST}; without a picture, what was used of them",
        )
    # of older jobs nothing better is known; it only keeps them where they are when another one ends for nothing
    op.execute("UPDATE jobs SET entered = tag")
    op.drop_index("ix_jobs_state", "jobs")  # SQLite took it for what waits, and sorted all of that for each claim
    op.create_index("ix_jobs_running", "jobs", ["id"], sqlite_where=RUNNING, postgresql_where=RUNNING)
    op.create_index("ix_jobs_undelivered", "jobs", ["id"], sqlite_where=UNDELIVERED, postgresql_where=UNDELIVERED)


def downgrade() -> None:
    op.drop_index("ix_jobs_undelivered", "jobs")
    op.drop_index("ix_jobs_running", "jobs")
    op.create_index("ix_jobs_state", "jobs", ["state"])
    with op.batch_alter_table("jobs") as batch:
        batch.alter_column(
            "cost",
            existing_type=sa.Float(),
            existing_nullable=False,
            existing_comment=f"{COST}; without a picture, what was used of them",
            comment=COST,
        )
        batch.drop_column("entered")
