"""What the lanes of a request answered, as the one frame that replies to it.

A lane whose answer cannot be sent has a fault in its place, and the others their answers.
"""

from collections.abc import Sequence
from contextlib import suppress
from types import NoneType
from typing import Any

import orjson

from openenv.errors import LocalError
from openenv.protocol.client import fits
from openenv.protocol.link_messages import (
    Batch,
    BatchReply,
    Closed,
    CloseLanes,
    Fork,
    Forked,
    GetSnapshot,
    LinkReply,
    Open,
    Opened,
    Restore,
    Restored,
    SnapshotIs,
)
from openenv.protocol.link_replies import encode_reply
from openenv.protocol.messages import Fault, Json, Observed, Reply, Reset, StateIs, Step
from openenv.protocol.placing import place, spell_out
from openenv.protocol.served_call import Outcome, ServedCall

__all__ = ["check_kind", "make_reply"]

_NOTHING = Observed(None)
_NO_STATE = StateIs(None)
_ANSWERS: dict[type, type] = {GetSnapshot: SnapshotIs, Restore: Restored, Open: NoneType, CloseLanes: NoneType}


def check_kind(call: ServedCall, index: int, outcome: Outcome) -> None:
    """Raise LocalError when `outcome` is not of a kind that the work of `call` may end with."""
    request = call.request
    if type(request) is Batch:
        good = type(outcome) is StateIs if request.op == "state" else hasattr(outcome, "observation")
    elif isinstance(request, Fork):
        good = outcome is None if index else type(outcome) is SnapshotIs
    elif (expected := _ANSWERS.get(type(request))) is not None:
        good = type(outcome) is expected
    elif isinstance(request, Step | Reset):
        good = hasattr(outcome, "observation")
    else:
        good = fits(request, outcome)  # type: ignore[arg-type]  # it looks at the type and nothing else
    if not good:
        raise LocalError(f"{type(outcome).__name__} does not answer {type(request).__name__}")


def make_reply(call: ServedCall, *, max_bytes: int) -> bytes:
    """Make the frame of what was answered since the last one; from then on it is not in `call` any more."""
    outcomes, call.outcomes = call.outcomes, []
    frame = _attempt(call, outcomes, max_bytes)
    if type(frame) is Fault and len(outcomes) > 1:  # one of them, or all together
        alone = [(index, _attempt(call, [(index, outcome)], max_bytes), outcome) for index, outcome in outcomes]
        outcomes = [(index, why if type(why) is Fault else outcome) for index, why, outcome in alone]
        frame = _attempt(call, outcomes, max_bytes)
    if isinstance(frame, Fault):
        frame = encode_reply(_reply(call, [(index, frame) for index, _ in outcomes]), call.id, call.lane, binary=False)
    return frame


def _attempt(call: ServedCall, outcomes: list[tuple[int, Outcome]], max_bytes: int) -> bytes | Fault:
    try:
        frame = _frame(call, outcomes)
    except LocalError as error:
        return Fault("OBSERVATION_ERROR", f"The answer cannot be sent: {error}")
    if len(frame) > max_bytes:
        return Fault("TOO_LARGE", f"The reply has {len(frame)} bytes, and a frame may have {max_bytes}.")
    return frame


def _frame(call: ServedCall, outcomes: list[tuple[int, Outcome]]) -> bytes:
    if call.is_binary and any(getattr(outcome, "arrays", ()) for _, outcome in outcomes):
        with suppress(LocalError):  # it holds something else that only a text frame can carry
            placed, buffers = _place(call, outcomes)
            return encode_reply(_reply(call, placed), call.id, call.lane, binary=True, buffers=buffers)
        outcomes = [(index, _spelled_out(outcome)) for index, outcome in outcomes]
    return encode_reply(_reply(call, outcomes), call.id, call.lane, binary=call.is_binary)


def _place(call: ServedCall, outcomes: list[tuple[int, Any]]) -> tuple[list[tuple[int, Any]], list[bytes]]:
    if not (isinstance(call.request, Batch) and call.request.parts):
        outcomes = sorted(outcomes, key=_index)
    observed = [(at, outcome) for at, (_, outcome) in enumerate(outcomes) if getattr(outcome, "arrays", ())]
    texts, buffers = place([outcome.observation for _, outcome in observed], [each.arrays for _, each in observed])
    placed: list[tuple[int, Any]] = list(outcomes)
    for (at, outcome), text in zip(observed, texts, strict=True):
        placed[at] = (placed[at][0], _with_text(outcome, text))
    return placed, buffers


def _spelled_out(outcome: Any) -> Any:
    arrays = getattr(outcome, "arrays", ())
    return _with_text(outcome, spell_out(outcome.observation, arrays)) if arrays else outcome


def _with_text(outcome: Any, text: bytes) -> Observed:
    return Observed(text, outcome.reward, outcome.done, outcome.metadata, outcome.truncated)


def _reply(call: ServedCall, outcomes: list[tuple[int, Outcome]]) -> LinkReply:
    request = call.request
    if isinstance(request, Batch):
        return _gather(request, outcomes, more=call.left > 0)
    if isinstance(request, Open):
        return Opened(call.lanes, {call.lanes[index]: fault for index, fault in outcomes if type(fault) is Fault})
    if isinstance(request, CloseLanes):
        return Closed(call.lanes)
    if isinstance(request, Fork):
        return _forked(request, outcomes)
    return _plain(outcomes[0][1])


def _forked(request: Fork, outcomes: list[tuple[int, Outcome]]) -> LinkReply:
    """Answer for the new lanes; if there is no snapshot for them, with the fault of the lane that was to give it."""
    faults = {index: fault for index, fault in outcomes if type(fault) is Fault}
    if 0 in faults:
        return faults[0]
    return Forked(request.lanes, {request.lanes[index - 1]: fault for index, fault in faults.items()})


def _plain(outcome: Any) -> Reply:
    """Give an observation that is JSON text the form that messages have. `check_kind` has seen the outcome."""
    if type(getattr(outcome, "observation", None)) is not bytes:
        reply: Reply = outcome
        return reply
    metadata = None if outcome.metadata is None else orjson.Fragment(outcome.metadata)
    return Observed(orjson.Fragment(outcome.observation), outcome.reward, outcome.done, metadata, outcome.truncated)


def _gather(batch: Batch, outcomes: Sequence[tuple[int, Outcome]], *, more: bool) -> BatchReply:
    if not batch.parts:
        outcomes = sorted(outcomes, key=_index)
    lanes = tuple([batch.lanes[index] for index, _ in outcomes])
    answers: list[Json] = [answer for _, answer in outcomes]
    errors = {lane: answer for lane, answer in zip(lanes, answers, strict=True) if type(answer) is Fault}
    if errors:
        blank = _NO_STATE if batch.op == "state" else _NOTHING
        answers = [blank if type(answer) is Fault else answer for answer in answers]
    if batch.op == "state":
        return BatchReply("state", lanes, state=[answer.state for answer in answers], errors=errors, more=more)
    truncated = [answer.truncated for answer in answers]
    metadata = [answer.metadata for answer in answers]
    return BatchReply(
        batch.op,
        lanes,
        [answer.observation for answer in answers],
        [answer.reward for answer in answers],
        [answer.done for answer in answers],
        truncated if True in truncated else None,
        None if set(map(type, metadata)) == {type(None)} else metadata,
        errors=errors,
        more=more,
    )


def _index(answered: tuple[int, Outcome]) -> int:
    return answered[0]
