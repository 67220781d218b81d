"""The wire, sans-I/O: messages, codecs, and the two halves of a session.

Nothing here opens a socket, starts a thread, reads a clock or an environment variable.
"""

from openenv.protocol.client import Call, ClientSession, ClientState
from openenv.protocol.client_link import ClientLink, ClientLinkState, LinkCall
from openenv.protocol.codec import Codec, ServerCall
from openenv.protocol.dialect1 import EXTENSIONS, EXTENSIONS_HEADER, Dialect1
from openenv.protocol.faults import FAULTS, FaultRule, exception_for, rule_of
from openenv.protocol.frames import is_binary
from openenv.protocol.link_messages import (
    Batch,
    BatchReply,
    Closed,
    CloseLanes,
    Fork,
    Forked,
    GetSnapshot,
    LinkLimits,
    LinkReply,
    LinkRequest,
    Open,
    Opened,
    Restore,
    Restored,
    SnapshotIs,
    Welcome,
    cancelled,
)
from openenv.protocol.messages import (
    Close,
    Fault,
    GetState,
    GetView,
    Json,
    JsonRpc,
    JsonRpcReply,
    Observed,
    Reply,
    Request,
    Reset,
    StateIs,
    Step,
    ViewIs,
)
from openenv.protocol.served_call import Encoded, Outcome, ServedCall, Work
from openenv.protocol.server import ServerSession
from openenv.protocol.server_link import ServerLink, ServerLinkState
from openenv.protocol.welcome import RESUME_HEADER, SUBPROTOCOL, read_resume

__all__ = [
    "EXTENSIONS",
    "EXTENSIONS_HEADER",
    "FAULTS",
    "RESUME_HEADER",
    "SUBPROTOCOL",
    "Batch",
    "BatchReply",
    "Call",
    "ClientLink",
    "ClientLinkState",
    "ClientSession",
    "ClientState",
    "Close",
    "CloseLanes",
    "Closed",
    "Codec",
    "Dialect1",
    "Encoded",
    "Fault",
    "FaultRule",
    "Fork",
    "Forked",
    "GetSnapshot",
    "GetState",
    "GetView",
    "Json",
    "JsonRpc",
    "JsonRpcReply",
    "LinkCall",
    "LinkLimits",
    "LinkReply",
    "LinkRequest",
    "Observed",
    "Open",
    "Opened",
    "Outcome",
    "Reply",
    "Request",
    "Reset",
    "Restore",
    "Restored",
    "ServedCall",
    "ServerCall",
    "ServerLink",
    "ServerLinkState",
    "ServerSession",
    "SnapshotIs",
    "StateIs",
    "Step",
    "ViewIs",
    "Welcome",
    "Work",
    "cancelled",
    "exception_for",
    "is_binary",
    "read_resume",
    "rule_of",
]
