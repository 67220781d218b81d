"""The wire, sans-I/O: messages, codecs, and the two halves of a session.

Nothing here opens a socket, starts a thread, reads a clock or an environment variable.
"""

from openenv.protocol.client import Call, ClientSession, ClientState
from openenv.protocol.codec import Codec, Incoming
from openenv.protocol.dialect1 import EXTENSIONS, EXTENSIONS_HEADER, Dialect1
from openenv.protocol.faults import FAULTS, FaultRule, exception_for, rule_of
from openenv.protocol.messages import (
    Close,
    Fault,
    GetState,
    Json,
    JsonRpc,
    JsonRpcReply,
    Observed,
    Reply,
    Request,
    Reset,
    StateIs,
    Step,
)
from openenv.protocol.server import ServerCall, ServerSession

__all__ = [
    "EXTENSIONS",
    "EXTENSIONS_HEADER",
    "FAULTS",
    "Call",
    "ClientSession",
    "ClientState",
    "Close",
    "Codec",
    "Dialect1",
    "Fault",
    "FaultRule",
    "GetState",
    "Incoming",
    "Json",
    "JsonRpc",
    "JsonRpcReply",
    "Observed",
    "Reply",
    "Request",
    "Reset",
    "ServerCall",
    "ServerSession",
    "StateIs",
    "Step",
    "exception_for",
    "rule_of",
]
