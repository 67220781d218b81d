"""Saving, restoring and forking the sessions of a link.

A snapshot may be a pickle, and reading a pickle runs whatever code is in it. So what a client hands in is read only if
it bears our seal: it left this server, or one that has the same key, and nobody has changed it since. The seal is
checked here, before any environment sees a byte; what a fork passes on never leaves the server, and needs none.
"""

import hmac
import secrets

from openenv.errors import BadSnapshot
from openenv.protocol import Fault, GetSnapshot, LinkLimits, Restore, SnapshotIs, exception_for
from openenv.server.session import Answer, Session
from openenv.server.sessions import SessionTable

__all__ = ["SnapshotSeal", "begin_with", "restore", "save"]

_MARK = b"OES1"
_SEAL_BYTES = 32
_MAX_BYTES = LinkLimits().frame_bytes * 3 // 4 - 4096  # in base64, and with its envelope, it fits a client's frame


class SnapshotSeal:
    """Signs snapshots, and knows its own signature again.

    Args:
        key: The secret; None makes one up, so that no other server's snapshots are taken.
    """

    def __init__(self, key: str | None) -> None:
        self._key = secrets.token_bytes(_SEAL_BYTES) if key is None else key.encode()

    def seal(self, snapshot: bytes) -> bytes:
        """Put the seal before a snapshot."""
        return _MARK + self._sign(snapshot) + snapshot

    def open(self, sealed: bytes) -> bytes:
        """Take the seal off again.

        Raises:
            BadSnapshot: It is not ours, or not of these bytes.
        """
        end = len(_MARK) + _SEAL_BYTES
        snapshot = sealed[end:]
        if not sealed.startswith(_MARK) or not hmac.compare_digest(sealed[len(_MARK) : end], self._sign(snapshot)):
            raise BadSnapshot(
                "BAD_SNAPSHOT",
                "This snapshot was changed on its way, or is of another server; servers that are to take each other's "
                "need the same OPENENV_SNAPSHOT_KEY.",
            )
        return snapshot

    def _sign(self, snapshot: bytes) -> bytes:
        return hmac.digest(self._key, _MARK + snapshot, "sha256")


async def save(session: Session, seal: SnapshotSeal) -> Answer:
    """Take a snapshot that a client may have."""
    answer = await session.serve(GetSnapshot())
    if not isinstance(answer, SnapshotIs):
        return answer
    size = len(answer.snapshot)
    if size > _MAX_BYTES:
        sentence = f"The snapshot has {size} bytes, and {_MAX_BYTES} can be sent; fork() takes any size."
        return Fault("TOO_LARGE", sentence)
    return SnapshotIs(seal.seal(answer.snapshot))


async def restore(session: Session, seal: SnapshotSeal, sealed: bytes) -> Answer:
    """Restore from what a client has handed in."""
    try:
        snapshot = seal.open(sealed)
    except BadSnapshot as error:
        return Fault.of(error)
    return await session.serve(Restore(snapshot))


async def begin_with(table: SessionTable, snapshot: bytes) -> Session:
    """Open a session in the state of another.

    Raises:
        RemoteFault: There is no room, the environment could not be built, or not be restored.
    """
    session = await table.open(attached=True)
    reason = "its caller went away while it was forked"
    try:
        answer = await session.serve(Restore(snapshot))
        if isinstance(answer, Fault):
            reason = answer.message
            raise exception_for(answer)
    except BaseException:  # cancelling too: nobody else knows of it
        table.end(session, reason)
        raise
    return session
