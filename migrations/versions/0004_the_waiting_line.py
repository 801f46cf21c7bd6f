"""All that a look at the waiting line needs, in one index"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

WAITING = sa.text("state = 'waiting'")
LINE = ["priority", "tag", "id", "person_id", "model", "cost", "deaths", "most_running", "state"]
JOBS = sa.table("jobs", sa.column("request", sa.JSON()), sa.column("model", sa.Text()))


def upgrade() -> None:
    op.add_column(
        "jobs", sa.Column("model", sa.Text(), nullable=False, server_default=sa.text("''"), comment="of the request")
    )
    op.execute(sa.update(JOBS).values(model=sa.func.coalesce(JOBS.c.request["model"].as_string(), "")))
    op.create_index("ix_jobs_line", "jobs", LINE, sqlite_where=WAITING, postgresql_where=WAITING)
    op.drop_index("ix_jobs_order", "jobs")


def downgrade() -> None:
    op.create_index("ix_jobs_order", "jobs", LINE[:3], sqlite_where=WAITING, postgresql_where=WAITING)
    op.drop_index("ix_jobs_line", "jobs")
    op.drop_column("jobs", "model")
