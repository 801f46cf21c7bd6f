"""The tables, and nothing else. Every change here needs a migration; a test compares the two.

Times are seconds since 1970 in UTC, as floats: they are shown and measured with, and nothing is
ordered by them, since a machine's clock may jump. Ids that other systems give are text. Each table says
what becomes of its rows when a person is forgotten (`store.personal`).
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
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
    false,
    text,
)

from store.personal import Along, Cleared, Deleted, File, Kept, names_file, when_forgotten

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
UNDECODED = text("trajectory IS NOT NULL AND frames IS NULL")
LINE = ("priority", "tag", "id", "person_id", "model", "cost", "deaths", "most_running", "state")

guild_settings = Table(
    "guild_settings",
    metadata,
    Column("guild", String(40), primary_key=True),
    Column("settings", JSON, nullable=False),
    comment="what a server's admins have set",
    info=when_forgotten(Kept(because="settings of a server, of nobody")),
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
    info=when_forgotten(Deleted(by=("id",))),
)

preferences = Table(
    "preferences",
    metadata,
    Column("source", String(20), primary_key=True),
    Column("external_id", String(40), primary_key=True, comment="of a person who need not have asked for anything yet"),
    Column("settings", JSON, nullable=False),
    comment="what people have set for themselves",
    info=when_forgotten(Deleted(external=("external_id",))),
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
    info=when_forgotten(Kept(because="a place, which goes with its last turn and job")),
)

turns = Table(
    "turns",
    metadata,
    Column("id", Id, primary_key=True),
    Column("conversation_id", Id, ForeignKey("conversations.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("person_id", Id, ForeignKey("people.id", ondelete="CASCADE"), index=True, comment="NULL: Darkroom spoke"),
    Column("said", Text, nullable=False),
    Column("message", String(40), index=True, comment="the message that carries it, where there is one"),
    Column("created_at", Float, nullable=False),
    Column("to_id", Id, ForeignKey("people.id", ondelete="CASCADE"), index=True, comment="whom Darkroom answered"),
    Column("private", Boolean, nullable=False, server_default=false(), comment="one person alone has seen it"),
    Column("intent", String(10), comment="create, revise, ask, chat; NULL: nobody decided"),
    Column("reply_to", Id, ForeignKey("turns.id", ondelete="SET NULL"), index=True, comment="the turn it answers"),
    Column("edited_at", Float),
    comment="one message of a conversation",
    info=when_forgotten(Deleted(by=("person_id", "to_id"), here="conversation_id")),
    sqlite_autoincrement=True,  # a number that was given once is never given again: messages and buttons hold them
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", Id, primary_key=True),
    Column("turn_id", Id, ForeignKey("turns.id", ondelete="SET NULL"), index=True),
    Column("person_id", Id, ForeignKey("people.id", ondelete="CASCADE"), nullable=False),
    Column(
        "request",
        JSON,
        nullable=False,
        info=names_file(File(suffix=".png", key="init_image"), File(suffix=".png", key="mask")),
    ),
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
    Column("weight", Float, nullable=False, server_default="1", comment="its owner's share beside others, at the time"),
    Column("most_running", Integer, comment="it starts while fewer of its owner's run; NULL: whenever it may"),
    Column("guild", String(40), comment="server in which it was asked for; NULL elsewhere"),
    Column("retry_of", Id, comment="the failed job that it repeats"),
    Column("attempt", Integer, nullable=False, comment="how often it was handed to a worker"),
    Column("deaths", Integer, nullable=False, comment="how many workers died on it"),
    Column("created_at", Float, nullable=False),
    Column("started_at", Float, comment="of the last attempt"),
    Column("ended_at", Float),
    Column("reason", Text, comment="why it ended without a picture, for the person"),
    Column("reference", String(40), comment="the same id stands in the log"),
    Column("delivered_at", Float),
    Column("conversation_id", Id, index=True, comment="it stays for as long as the job does"),
    Column("parent_id", Id, comment="the picture it goes on from, which may be gone"),
    Column("method", String(10), comment="words, again, seed, image, mask: how it goes on from it"),
    Column("private", Boolean, nullable=False, server_default=false(), comment="for its owner's eyes alone"),
    Column("study", JSON(none_as_null=True), comment="what to make of its parent again; NULL: a picture of its own"),
    Column("model", Text, nullable=False, server_default=text("''"), comment="of the request"),
    # all that a look at the whole line reads, so that it need not read the requests as well
    Index("ix_jobs_line", *LINE, sqlite_where=WAITING_ONLY, postgresql_where=WAITING_ONLY),
    Index("ix_jobs_person_id_state", "person_id", "state"),
    Index("ix_jobs_person_id_created_at", "person_id", "created_at"),
    Index("ix_jobs_ended_at", "ended_at"),
    Index("uq_jobs_retry_of", "retry_of", unique=True),
    Index("ix_jobs_running", "id", sqlite_where=RUNNING_ONLY, postgresql_where=RUNNING_ONLY),
    Index("ix_jobs_undelivered", "id", sqlite_where=UNDELIVERED, postgresql_where=UNDELIVERED),
    comment="a request in the queue, and what became of it",
    info=when_forgotten(Deleted(by=("person_id",), here="conversation_id")),
)

queue_clock = Table(
    "queue_clock",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("virtual_time", Float, nullable=False, comment="tag of the job claimed last"),
    comment="one row",
    info=when_forgotten(Kept(because="the queue's own time")),
)

queue_mode = Table(
    "queue_mode",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("mode", String(10), nullable=False, comment="open, paused, draining"),
    comment="one row",
    info=when_forgotten(Kept(because="the queue's own state")),
)

limits = Table(
    "limits",
    metadata,
    Column("guild", String(40), primary_key=True, comment="server; empty: everywhere"),
    Column("kind", String(10), primary_key=True, comment="everyone, role, person"),
    Column("subject", String(70), primary_key=True, comment="role id, or source and id of a person; empty: everyone"),
    Column("waiting", Integer, comment="jobs at once; NULL, here and below: not set"),
    Column("running", Integer, comment="jobs at once"),
    Column("steps", Integer, comment="of one job"),
    Column("side", Integer, comment="pixels"),
    Column("per_day", Integer, comment="jobs in any 24 hours that did not come to nothing"),
    Column("weight", Float, comment="share beside others; 1 is usual"),
    comment="what admins allow, and to whom",
    info=when_forgotten(Deleted(named=("subject",), here="guild")),
)

blocks = Table(
    "blocks",
    metadata,
    Column("guild", String(40), primary_key=True, comment="server; empty: everywhere"),
    Column("source", String(20), primary_key=True),
    Column("external_id", String(40), primary_key=True, comment="of a person who need not have asked for anything yet"),
    Column("reason", Text, nullable=False, comment="for the person; may be empty"),
    Column("created_at", Float, nullable=False),
    comment="who may ask for nothing",
    info=when_forgotten(Kept(because="a block must outlast the wish to be forgotten; it holds an id and no more")),
)

audit = Table(
    "audit",
    metadata,
    Column("id", Id, primary_key=True),
    Column("created_at", Float, nullable=False),
    Column("guild", String(40), nullable=False, index=True, comment="server in which the admin acted"),
    Column("actor", String(40), nullable=False, comment="the admin, by the front end's id"),
    Column("actor_name", String(100), nullable=False, comment="as it was then"),
    Column("act", String(20), nullable=False),
    Column("subject", String(120), nullable=False, comment="job, person or role; never what was asked for"),
    Column("detail", Text, nullable=False),
    comment="every act of an admin",
    info=when_forgotten(
        Cleared(
            external=("actor", "subject"),
            named=("subject",),
            also={"actor": ("actor_name",), "subject": ("detail",)},
            here="guild",
        )
    ),
)

runs = Table(
    "runs",
    metadata,
    Column("id", Id, primary_key=True),
    Column("job_id", Id, ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("facts", JSON, nullable=False),
    Column(
        "trajectory",
        String(64),
        comment="content hash of the stored steps; NULL: not kept",
        info=names_file(File(suffix=".trajectory")),
    ),
    Column("created_at", Float, nullable=False),
    Column(
        "frames",
        String(64),
        comment="content hash of those steps that are decoded; NULL: none is",
        info=names_file(File(suffix=".frames")),
    ),
    Index("ix_runs_undecoded", "id", sqlite_where=UNDECODED, postgresql_where=UNDECODED),
    comment="one execution of a job that made a picture",
    info=when_forgotten(Along(table="jobs", by="job_id")),
)

pictures = Table(
    "pictures",
    metadata,
    Column("id", Id, primary_key=True),
    Column("run_id", Id, ForeignKey("runs.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("person_id", Id, ForeignKey("people.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("parent_id", Id, ForeignKey("pictures.id", ondelete="SET NULL"), index=True, comment="made from"),
    Column(
        "content",
        String(64),
        nullable=False,
        index=True,
        comment="content hash of the file",
        info=names_file(File(suffix_column="suffix")),
    ),
    Column("suffix", String(8), nullable=False),
    Column("created_at", Float, nullable=False),
    Column("method", String(10), comment="how it goes on from its parent; see jobs"),
    Column("private", Boolean, nullable=False, server_default=false(), comment="for its owner's eyes alone"),
    Column(
        "untouched",
        String(64),
        index=True,
        comment="content hash of what diffusion made; NULL: it was not touched up since",
        info=names_file(File(suffix=".png")),
    ),
    comment="a picture that a person has",
    info=when_forgotten(Along(table="runs", by="run_id")),
    sqlite_autoincrement=True,
)

studies = Table(
    "studies",
    metadata,
    Column("id", Id, primary_key=True),
    Column("job_id", Id, ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("picture_id", Id, ForeignKey("pictures.id", ondelete="CASCADE"), nullable=False, comment="made again"),
    Column("change", String(12), nullable=False, comment="words, again, guidance, steps, seed: what was changed"),
    Column("key", String(64), nullable=False, comment="hash of what was planned"),
    Column("value", Text, nullable=False, comment="what it was changed to, for people"),
    Column("summary", Text, nullable=False, comment="what came of it, in one sentence"),
    Column("masses", JSON(none_as_null=True), comment="attention mass by word; NULL: not looked at"),
    Column("result", String(64), nullable=False, comment="content hash", info=names_file(File(suffix=".study"))),
    Column("created_at", Float, nullable=False),
    Index("ix_studies_picture_id_key", "picture_id", "key"),
    comment="what came of making a picture again",
    info=when_forgotten(Along(table="jobs", by="job_id")),
)

evidence = Table(
    "evidence",
    metadata,
    Column("id", Id, primary_key=True),
    Column("turn_id", Id, ForeignKey("turns.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("kind", String(12), nullable=False, comment="run, turn, passage, experiment; about: what a turn points at"),
    Column("ref", String(120), nullable=False),
    Column("quote", Text, nullable=False),
    Column("picture_id", Id, ForeignKey("pictures.id", ondelete="CASCADE"), index=True, comment="whose run it is"),
    Column("heard_id", Id, ForeignKey("turns.id", ondelete="CASCADE"), index=True, comment="the turn it quotes"),
    comment="what a turn of Darkroom's stands on, or which picture a person's turn is about",
    info=when_forgotten(Along(table="turns", by="turn_id")),
)
