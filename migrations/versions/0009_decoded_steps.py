"""Decoded steps of a run are kept beside those that they come from"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

UNDECODED = sa.text("trajectory IS NOT NULL AND frames IS NULL")


def upgrade() -> None:
    op.add_column(
        "runs",
        sa.Column("frames", sa.String(64), comment="content hash of those steps that are decoded; NULL: none is"),
    )
    op.create_index("ix_runs_undecoded", "runs", ["id"], sqlite_where=UNDECODED, postgresql_where=UNDECODED)


def downgrade() -> None:
    op.drop_index("ix_runs_undecoded", "runs")
    op.drop_column("runs", "frames")
