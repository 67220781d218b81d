"""A client's and a server's half of one session, joined in memory: no socket, no thread, no clock.

A test asks on one side and sees what arrives on the other. Between the two lie the frames on their way, in `requests`
and `replies`, where a test may read, drop, damage or add to them, as a network and a peer would.
"""

from collections import deque

from openenv.errors import LocalError
from openenv.protocol import Call, ClientSession, Codec, Dialect1, Fault, Reply, Request, ServerCall, ServerSession

__all__ = ["Pair"]


class Pair:
    """Both halves of a session, and the frames between them.

    Args:
        codec: The dialect that both speak.
        is_text: Whether requests reach the server as text frames, as those of dialect 1 do.

    Attributes:
        client: The half that asks.
        server: The half that answers.
        requests: Frames on their way to the server, oldest first.
        replies: Frames on their way to the client, oldest first.
    """

    def __init__(self, codec: Codec | None = None, *, is_text: bool = True) -> None:
        codec = codec or Dialect1()
        self.client = ClientSession(codec)
        self.server = ServerSession(codec)
        self.requests: deque[str | bytes] = deque()
        self.replies: deque[str | bytes] = deque()
        self._is_text = is_text

    def ask(self, request: Request) -> Call:
        """Ask as the client; the frame is on its way. Raises as `ClientSession.ask` does."""
        call = self.client.ask(request)
        self.requests.append(call.frame.decode() if self._is_text else call.frame)
        return call

    def take(self) -> ServerCall:
        """Let every request arrive, and take the next one to be served.

        Raises:
            LocalError: There is none, or the one before is not answered yet.
            PeerError: The client sent too many ahead of their replies.
        """
        while self.requests:
            self.server.receive(self.requests.popleft())
        call = self.server.next_call()
        if call is None:
            raise LocalError("no request waits to be served, or the one before it is not answered yet")
        return call

    def answer(self, call: ServerCall, reply: Reply) -> None:
        """Answer as the server; the frame is on its way. Raises as `ServerSession.reply` does."""
        self.replies.append(self.server.reply(call, reply))

    def collect(self) -> list[tuple[Call, Reply]]:
        """Let every reply arrive, and say which calls they answer; those that are nobody's are left out.

        Raises:
            PeerError: A frame breaks the rules; those behind it stay on their way.
        """
        answered = []
        while self.replies:
            received = self.client.receive(self.replies.popleft())
            if received is not None:
                answered.append(received)
        return answered

    def exchange(self, request: Request, reply: Reply) -> tuple[Request | Fault, Reply]:
        """Ask, serve and collect in one go: give what the server saw and what the client got.

        Raises:
            LocalError: Something else is under way.
        """
        if self.requests or self.replies:
            raise LocalError("frames are on their way already: take() and collect() them first")
        self.ask(request)
        served = self.take()
        self.answer(served, reply)
        ((_, got),) = self.collect()
        return served.request, got
