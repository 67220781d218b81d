"""A client's and a server's half of one link, joined in memory by a network that can be cut: no socket, no clock.

A test asks on one side, serves on the other and decides when each frame arrives. What is on its way lies in `requests`
and `replies`, where a test may read and damage it; a cut loses it, as the end of a socket does.
"""

from collections import deque

from openenv.errors import LocalError
from openenv.protocol import ClientLink, ClientLinkState, LinkCall, LinkReply, ServerLink, read_resume

__all__ = ["LinkPair"]


class LinkPair:
    """Both halves of a link, and the frames between them.

    Args:
        client: The half that asks; a new one if not given.
        server: The half that answers; a new one if not given.

    Attributes:
        client: The half that asks.
        server: The half that answers.
        requests: Frames on their way to the server, oldest first.
        replies: Frames on their way to the client, oldest first.
    """

    def __init__(self, client: ClientLink | None = None, server: ServerLink | None = None) -> None:
        self.client = client or ClientLink()
        self.server = server or ServerLink("a-name-that-only-tests-use")
        self.requests: deque[bytes] = deque()
        self.replies: deque[bytes] = deque()
        self._has_socket = False

    def connect(self) -> None:
        """Open a socket; the server's welcome is on its way, and behind it what the client lacks.

        Raises:
            LocalError: The server does not know the link that the client asks for.
        """
        asked = self.client.resume
        resumed = read_resume(asked) if asked is not None else None
        if resumed is not None and resumed[0] != self.server.token:
            raise LocalError("the client asks for another link")
        self.cut(server_notices=False)
        self._has_socket = True
        self.replies.append(self.server.attach(None if resumed is None else resumed[1]))

    def cut(self, *, server_notices: bool = True) -> None:
        """End the socket. What is on its way is lost; a server that does not notice sends on, into the void."""
        self.requests.clear()
        self.replies.clear()
        self._has_socket = False
        self.client.detach()
        if server_notices:
            self.server.detach()

    @property
    def is_connected(self) -> bool:
        """Whether the client has a socket, and had its welcome."""
        return self.client.state is ClientLinkState.ATTACHED

    def send(self) -> None:
        """Put on their way all frames that either side has to send."""
        self.requests.extend(self.client.outgoing())
        said = self.server.outgoing()
        if self._has_socket:
            self.replies.extend(said)

    def deliver_request(self) -> None:
        """Let the oldest frame of the client arrive. Raises as `ServerLink.receive` does."""
        self.server.receive(self.requests.popleft())

    def deliver_reply(self) -> tuple[LinkCall, LinkReply] | None:
        """Let the oldest frame of the server arrive. Raises as `ClientLink.attach` and `receive` do."""
        frame = self.replies.popleft()
        if not self.is_connected:
            self.client.attach(frame)
            return None
        return self.client.receive(frame)

    def collect(self) -> list[tuple[LinkCall, LinkReply]]:
        """Let every frame arrive, both ways, and say which calls were answered."""
        answered = []
        while True:
            self.send()
            if self.requests:
                self.deliver_request()
            elif self.replies:
                received = self.deliver_reply()
                if received is not None:
                    answered.append(received)
            else:
                return answered
