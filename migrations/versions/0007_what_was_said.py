"""Turns know who was answered and what they stand on; full-text search; numbers that are never given twice"""

from __future__ import annotations

from typing import Literal

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0004"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
ONCE = {"sqlite_autoincrement": True}

SQLITE_INDEX = (
    """CREATE VIRTUAL TABLE turns_text USING fts5(
        said, content='turns', content_rowid='id', tokenize="unicode61 remove_diacritics 2")""",
    """CREATE TRIGGER turns_text_added AFTER INSERT ON turns BEGIN
        INSERT INTO turns_text(rowid, said) VALUES (new.id, new.said); END""",
    """CREATE TRIGGER turns_text_gone AFTER DELETE ON turns BEGIN
        INSERT INTO turns_text(turns_text, rowid, said) VALUES ('delete', old.id, old.said); END""",
    """CREATE TRIGGER turns_text_changed AFTER UPDATE OF said ON turns BEGIN
        INSERT INTO turns_text(turns_text, rowid, said) VALUES ('delete', old.id, old.said);
        INSERT INTO turns_text(rowid, said) VALUES (new.id, new.said); END""",
    "INSERT INTO turns_text(turns_text) VALUES ('rebuild')",
)
POSTGRESQL_INDEX = "CREATE INDEX ix_turns_text ON turns USING gin (to_tsvector('simple'::regconfig, said))"


def upgrade() -> None:
    anew: Literal["always", "never"]
    anew = "never" if op.get_bind().dialect.name == "postgresql" else "always"  # its numbers are never given twice
    _widen_turns(anew)
    _widen_jobs()
    with op.batch_alter_table("pictures", table_kwargs=ONCE, recreate=anew) as batch:
        batch.add_column(sa.Column("method", sa.String(10), comment="how it goes on from its parent; see jobs"))
        batch.add_column(_private("for its owner's eyes alone"))
    _add_evidence()
    if op.get_bind().dialect.name == "postgresql":
        op.execute(POSTGRESQL_INDEX)
    else:
        for statement in SQLITE_INDEX:
            op.execute(statement)


def _widen_turns(anew: Literal["always", "never"]) -> None:
    with op.batch_alter_table("turns", table_kwargs=ONCE, recreate=anew) as batch:
        batch.add_column(sa.Column("to_id", ID, comment="whom Darkroom answered"))
        batch.add_column(_private("one person alone has seen it"))
        batch.add_column(sa.Column("intent", sa.String(10), comment="create, revise, ask, chat; NULL: nobody decided"))
        batch.add_column(sa.Column("reply_to", ID, comment="the turn it answers"))
        batch.add_column(sa.Column("edited_at", sa.Float()))
        batch.create_foreign_key("fk_turns_to_id", "people", ["to_id"], ["id"], ondelete="CASCADE")
        batch.create_foreign_key("fk_turns_reply_to", "turns", ["reply_to"], ["id"], ondelete="SET NULL")
    for column in ("message", "to_id", "reply_to"):
        op.create_index(f"ix_turns_{column}", "turns", [column])


def _widen_jobs() -> None:
    op.add_column("jobs", sa.Column("conversation_id", ID, comment="it stays for as long as the job does"))
    op.add_column("jobs", sa.Column("parent_id", ID, comment="the picture it goes on from, which may be gone"))
    op.add_column(
        "jobs", sa.Column("method", sa.String(10), comment="words, again, seed, image, mask: how it goes on from it")
    )
    op.add_column("jobs", _private("for its owner's eyes alone"))
    op.create_index("ix_jobs_conversation_id", "jobs", ["conversation_id"])
    op.execute(
        "UPDATE jobs SET conversation_id = (SELECT conversation_id FROM turns WHERE turns.id = jobs.turn_id)"
        " WHERE turn_id IS NOT NULL"
    )


def _add_evidence() -> None:
    op.create_table(
        "evidence",
        sa.Column("id", ID, nullable=False),
        sa.Column("turn_id", ID, nullable=False),
        sa.Column(
            "kind",
            sa.String(12),
            nullable=False,
            comment="run, turn, passage, experiment; about: what a turn points at",
        ),
        sa.Column("ref", sa.String(120), nullable=False),
        sa.Column("quote", sa.Text(), nullable=False),
        sa.Column("picture_id", ID, comment="whose run it is"),
        sa.Column("heard_id", ID, comment="the turn it quotes"),
        sa.ForeignKeyConstraint(["turn_id"], ["turns.id"], name="fk_evidence_turn_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["picture_id"], ["pictures.id"], name="fk_evidence_picture_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["heard_id"], ["turns.id"], name="fk_evidence_heard_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_evidence"),
        comment="what a turn of Darkroom's stands on, or which picture a person's turn is about",
    )
    for column in ("turn_id", "picture_id", "heard_id"):
        op.create_index(f"ix_evidence_{column}", "evidence", [column])


def _private(comment: str) -> sa.Column[bool]:
    return sa.Column("private", sa.Boolean(), nullable=False, server_default=sa.false(), comment=comment)


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.drop_index("ix_turns_text", "turns")
    else:
        for trigger in ("added", "gone", "changed"):
            op.execute(f"DROP TRIGGER turns_text_{trigger}")
        op.execute("DROP TABLE turns_text")
    op.drop_table("evidence")
    with op.batch_alter_table("pictures") as batch:
        batch.drop_column("private")
        batch.drop_column("method")
    op.drop_index("ix_jobs_conversation_id", "jobs")
    for column in ("private", "method", "parent_id", "conversation_id"):
        op.drop_column("jobs", column)
    for column in ("message", "to_id", "reply_to"):
        op.drop_index(f"ix_turns_{column}", "turns")
    with op.batch_alter_table("turns") as batch:
        batch.drop_constraint("fk_turns_to_id", type_="foreignkey")
        batch.drop_constraint("fk_turns_reply_to", type_="foreignkey")
        for column in ("edited_at", "reply_to", "intent", "private", "to_id"):
            batch.drop_column(column)
