"""What diffusion made, beside what was made of it; what people have set for themselves"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "pictures",
        sa.Column(
            "untouched",
            sa.String(64),
            comment="content hash of what diffusion made; NULL: it was not touched up since",
        ),
    )
    op.create_index("ix_pictures_untouched", "pictures", ["untouched"])
    op.create_table(
        "preferences",
        sa.Column("source", sa.String(20), nullable=False),
        sa.Column(
            "external_id", sa.String(40), nullable=False, comment="of a person who need not have asked for anything yet"
        ),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("source", "external_id", name="pk_preferences"),
        comment="what people have set for themselves",
    )


def downgrade() -> None:
    op.drop_table("preferences")
    op.drop_index("ix_pictures_untouched", "pictures")
    op.drop_column("pictures", "untouched")
