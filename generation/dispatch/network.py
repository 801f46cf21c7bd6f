"""What the bot and workers on other machines say to each other over NATS, and how large things travel.

Subjects (all under `darkroom.`): workers say `here` every few seconds, and so hold what they run; `orders.<worker>`
and `asks.<worker>` are answered by that worker; `cancels.<worker>` and `hello` tell workers something; `news` carries
progress, which may be lost. How a job ended goes into a stream of JetStream's, where it stays until the bot has stored
it. What is larger than a message may be travels through JetStream's object store.

Whoever can connect to the NATS server can give orders and read pictures: it needs a password or certificates, and TLS
wherever its traffic leaves one's own network.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets

import msgspec
import nats
import nats.errors
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.api import ObjectStoreConfig, RetentionPolicy, StorageType, StreamConfig
from nats.js.errors import APIError, NotFoundError
from nats.js.object_store import ObjectStore

from generation.events import Loading, Ready
from generation.frames import Message

log = logging.getLogger(__name__)

HERE, NEWS, HELLO = "darkroom.here", "darkroom.news", "darkroom.hello"
ORDERS, ASKS, CANCELS = "darkroom.orders.", "darkroom.asks.", "darkroom.cancels."  # and the worker's name
RESULTS = "darkroom.results"
RESULTS_STREAM, PARCELS_BUCKET = "DARKROOM_RESULTS", "darkroom_parcels"
SESSION = "Darkroom-Session"  # header: which life of the bot gave the order
INLINE_LIMIT = 512 * 2**10  # bytes; NATS takes messages of up to 1 MiB unless it is told otherwise
KEPT = 7 * 24 * 3600.0  # seconds that a result, and half as many that a parcel, waits for a bot that does not come
BEAT = 2.0  # seconds between two signs of life of a worker
LEASE = 15.0  # seconds without one, after which what it runs is given to another
REQUEST_LIMIT = 10.0  # seconds for an order to be taken
TROUBLE = (nats.errors.Error, APIError, asyncio.TimeoutError, OSError)  # of the network or the server; it may pass

_INLINE, _STORED = b"\0", b"\1"
Key = tuple[int, int]  # job and attempt


class Here(Message, frozen=True, kw_only=True):
    """A worker is alive."""

    worker: str
    ready: Ready | None = None  # None: it does not take jobs yet
    loading: Loading | None = None
    running: tuple[Key, ...] = ()  # what it has in its hands, until its end is in the stream
    leaving: bool = False  # it takes no more orders


class Hello(Message, frozen=True, kw_only=True):
    """The bot has begun (or ended: no session) a life, in which nothing of earlier ones counts."""

    session: str | None


decode_here = msgspec.msgpack.Decoder(Here).decode
decode_hello = msgspec.msgpack.Decoder(Hello).decode
encode = msgspec.msgpack.Encoder().encode


class Post:
    """An open connection, with the stream of results and the store of parcels."""

    def __init__(self, connection: Client, jetstream: JetStreamContext, parcels: ObjectStore) -> None:
        self.connection = connection
        self.jetstream = jetstream
        self._parcels = parcels

    async def wrap(self, body: bytes) -> bytes:
        """The body as a message that is small enough."""
        if len(body) <= INLINE_LIMIT:
            return _INLINE + body
        name = secrets.token_hex(16)
        await self._parcels.put(name, body)
        return _STORED + name.encode()

    async def unwrap(self, message: bytes) -> bytes:
        """The body of a message; a parcel stays where it is.

        Raises:
            NotFoundError: its parcel is gone.
        """
        if message[:1] == _INLINE:
            return message[1:]
        return (await self._parcels.get(message[1:].decode())).data or b""

    async def forget(self, message: bytes) -> None:
        """Delete the message's parcel, if it has one and that is still there."""
        if message[:1] == _STORED:
            with contextlib.suppress(*TROUBLE):
                await self._parcels.delete(message[1:].decode())

    async def take(self, message: bytes) -> bytes:
        """The body of a message that nobody else needs.

        Raises:
            NotFoundError: its parcel is gone.
        """
        body = await self.unwrap(message)
        await self.forget(message)
        return body


async def open_post(url: str, name: str) -> Post:
    """Connect, for as often as it takes, and see that stream and store are there.

    Raises:
        nats.errors.Error, OSError: the address or the password is wrong, or JetStream is not switched on.
    """

    async def note(error: Exception) -> None:
        log.debug("NATS: %s", error)

    connection = await nats.connect(
        url, name=name, max_reconnect_attempts=-1, reconnect_time_wait=1, error_cb=note, allow_reconnect=True
    )
    try:
        jetstream = connection.jetstream()
        stream = StreamConfig(
            name=RESULTS_STREAM,
            subjects=[RESULTS],
            retention=RetentionPolicy.WORK_QUEUE,
            storage=StorageType.FILE,
            max_age=KEPT,
        )
        try:
            await jetstream.stream_info(RESULTS_STREAM)
        except NotFoundError:
            await jetstream.add_stream(stream)
        try:
            parcels = await jetstream.object_store(PARCELS_BUCKET)
        except NotFoundError:
            parcels = await jetstream.create_object_store(PARCELS_BUCKET, ObjectStoreConfig(ttl=int(KEPT / 2)))
    except BaseException:
        await connection.close()
        raise
    return Post(connection, jetstream, parcels)
