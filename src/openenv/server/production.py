"""What production mode takes away: every call but those to the environment's tools, and what its exceptions say."""

from openenv.protocol import Fault

__all__ = ["HIDDEN", "discreet"]

HIDDEN = Fault(
    "FORBIDDEN",
    "This server is in production mode: episodes are nobody's to reset, step, read or save. Call the environment's "
    "tools over MCP.",
)
"""Answers whoever asks for what is not there."""

_SENTENCES = {
    "EXECUTION_ERROR": "The environment raised an error; the server's log says which.",
    "FACTORY_ERROR": "The environment could not be built; the server's log says why.",
    "RESTORE_FAILED": "The environment could not be restored; the server's log says why.",
}


def discreet(fault: Fault) -> Fault:
    """Leave out what an exception of the environment said, and what it was; other faults stay as they are."""
    sentence = _SENTENCES.get(fault.code) if "exception" in fault.details else None
    return fault if sentence is None else Fault(fault.code, sentence)
