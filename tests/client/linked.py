"""A server of dialect 2 that tests hold in their hands: an echo that counts, whose connections can be cut at will.

Each connection is a thread that drives a `ServerLink`. A step that says `wait` waits for `gate`, in its own thread.
"""

import secrets
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from websockets.exceptions import InvalidState

from openenv.protocol import (
    RESUME_HEADER,
    Batch,
    GetState,
    LinkLimits,
    Observed,
    Reset,
    ServerLink,
    StateIs,
    Step,
    Work,
    read_resume,
)
from openenv.protocol.served_call import Outcome
from tests.client.scripted import Peer, listening

__all__ = ["Linked", "linked"]


class _Freezable:
    """A socket that can be made to read nothing, not even pings."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self.sendall = connection.sendall
        self.shutdown = connection.shutdown
        self.thawed = threading.Event()
        self.thawed.set()

    def recv(self, size: int) -> bytes:
        data = self._connection.recv(size)
        self.thawed.wait(10)
        return data


class Linked:
    """The links of one server, and the sockets they have.

    Attributes:
        url: Where it is.
        gate: Lets go of the steps that wait.
        entered: Whether a step waits.
        steps: Every step that was carried out, in order.
        handshakes: How many connections there were.
        asked: How many of them asked for a link that there was.
        cut_after: After how many further frames of clients to cut, before their replies are sent; below zero each time;
            None for never.
        deaf: Whether connections are ended before the handshake.
        answer_instead: What to say in place of the handshake.
        subprotocol: What to select.
        goodbye: Whether a client closed in good order.
    """

    def __init__(self, grace_s: float, limits: LinkLimits | None) -> None:
        self.url = ""
        self.gate = threading.Event()
        self.entered = threading.Event()
        self.steps: list[str] = []
        self.handshakes = 0
        self.asked = 0
        self.cut_after: int | None = None
        self.deaf = False
        self.answer_instead = b""
        self.subprotocol: str | None = "openenv.v2"
        self.goodbye = threading.Event()
        self._sockets: list[_Freezable] = []
        self._grace_s = grace_s
        self._limits = limits
        self._lock = threading.RLock()
        self._links: dict[str, ServerLink] = {}
        self._peers: dict[str, Peer] = {}
        self._waiters: list[threading.Thread] = []

    def forget(self) -> None:
        """Become another server: every link is unknown from now on, and every connection is cut."""
        with self._lock:
            self._links.clear()
        self.cut()

    def cut(self) -> None:
        """Cut every connection, as a network does."""
        with self._lock:
            for peer in self._peers.values():
                with suppress(OSError):
                    peer.socket.shutdown(socket.SHUT_RDWR)

    def hang_up(self, code: int, reason: str) -> None:
        """Close every connection with a code."""
        with self._lock:
            for peer in self._peers.values():
                peer.close(code, reason)

    def freeze(self) -> None:
        """Read nothing more from the connections there are, though they stay open."""
        for each in self._sockets:
            each.thawed.clear()

    def thaw(self) -> None:
        """Read on."""
        for each in self._sockets:
            each.thawed.set()

    def serve(self, connection: socket.socket) -> None:
        """Serve one connection."""
        if self.deaf:
            return
        if self.answer_instead:
            connection.recv(65536)
            connection.sendall(self.answer_instead)
            return
        freezable: Any = _Freezable(connection)
        self._sockets.append(freezable)
        peer = Peer(freezable)
        handshake = peer.shake_hands("", self.subprotocol)
        resume = read_resume(handshake.headers.get(RESUME_HEADER, ""))
        with self._lock:
            self.handshakes += 1
            link = self._links.get(resume[0]) if resume else None
            if link is not None and resume is not None and link.can_resume(resume[1]):
                self.asked += 1
                welcome = link.attach(resume[1])
            else:
                link = ServerLink(secrets.token_hex(16), grace_s=self._grace_s, limits=self._limits)
                self._links[link.token] = link
                welcome = link.attach()
            self._peers[link.token] = peer
            if self.cut_after == -1:
                _say(peer, [welcome])
                return
            _say(peer, [welcome, *link.outgoing()])
        for frame in peer.frames():
            with self._lock:
                if self._peers[link.token] is not peer:
                    return  # another connection has taken its place
                link.receive(frame)
                self._work(link)
                if self._is_time_to_cut():
                    self.cut()
                _say(peer, link.outgoing())
        if peer.has_said_goodbye:
            self.goodbye.set()

    def _is_time_to_cut(self) -> bool:
        if self.cut_after is None:
            return False
        if self.cut_after > 0:
            self.cut_after -= 1
            return False
        if self.cut_after == 0:
            self.cut_after = None
        return True

    def _work(self, link: ServerLink) -> None:
        while (work := link.take()) is not None:
            request = _asked(work)
            if isinstance(request, Step) and request.action["message"] == "wait":
                waiter = threading.Thread(target=self._answer_later, args=(link, work), name="linked-step")
                self._waiters.append(waiter)
                waiter.start()
            else:
                link.answer(work, self._outcome(work))

    def _answer_later(self, link: ServerLink, work: Work) -> None:
        self.entered.set()
        self.gate.wait(10)
        with self._lock:
            link.answer(work, self._outcome(work))
            self._work(link)
            _say(self._peers[link.token], link.outgoing())

    def _outcome(self, work: Work) -> Outcome:
        match _asked(work):
            case Reset():
                return Observed({"echoed_message": "ready"}, 0.0)
            case Step(action):
                self.steps.append(action["message"])
                count = {"step": len(self.steps)}
                return Observed({"echoed_message": action["message"]}, 0.5, metadata=count)
            case GetState():
                return StateIs({"episode_id": "e", "step_count": len(self.steps)})
        return None

    def join(self) -> None:
        """Let go of everything."""
        self.gate.set()
        self.thaw()
        for waiter in self._waiters:
            waiter.join(10)


def _asked(work: Work) -> object:
    call, index = work
    return call.request.at(index) if isinstance(call.request, Batch) else call.request


def _say(peer: Peer, frames: list[bytes]) -> None:
    with suppress(OSError, InvalidState):  # it has no connection now, or is closing
        peer.say_frames(frames)


@contextmanager
def linked(*, grace_s: float = 60.0, limits: LinkLimits | None = None) -> Iterator[Linked]:
    """Serve, and give the server."""
    server = Linked(grace_s, limits)
    with listening(server.serve) as server.url:
        yield server
        server.cut()
        server.join()
