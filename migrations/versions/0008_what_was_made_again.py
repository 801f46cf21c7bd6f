"""Jobs may look into a picture instead of making one, and what comes of that is kept"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0006"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column(
        "jobs",
        sa.Column("study", sa.JSON(), comment="what to make of its parent again; NULL: a picture of its own"),
    )
    op.create_table(
        "studies",
        sa.Column("id", ID, nullable=False),
        sa.Column("job_id", ID, nullable=False),
        sa.Column("picture_id", ID, nullable=False, comment="made again"),
        sa.Column(
            "change",
            sa.String(12),
            nullable=False,
            comment="words, again, guidance, steps, seed: what was changed",
        ),
        sa.Column("key", sa.String(64), nullable=False, comment="hash of what was planned"),
        sa.Column("value", sa.Text(), nullable=False, comment="what it was changed to, for people"),
        sa.Column("summary", sa.Text(), nullable=False, comment="what came of it, in one sentence"),
        sa.Column("masses", sa.JSON(), comment="attention mass by word; NULL: not looked at"),
        sa.Column("result", sa.String(64), nullable=False, comment="content hash"),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_studies_job_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["picture_id"], ["pictures.id"], name="fk_studies_picture_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_studies"),
        comment="what came of making a picture again",
    )
    op.create_index("ix_studies_job_id", "studies", ["job_id"])
    op.create_index("ix_studies_picture_id_key", "studies", ["picture_id", "key"])


def downgrade() -> None:
    op.drop_table("studies")
    op.execute("DELETE FROM jobs WHERE study IS NOT NULL")  # an older Darkroom would make pictures of them
    op.drop_column("jobs", "study")
