"""What goes on in each environment of a vector, and what becomes of its replies. Pure, without I/O.

Whoever drives the links sends each `Ask` that comes from here, and brings back its reply by `take`, or says by `fail`
or `lose` that there will be none. An environment whose session is lost answers nothing but that until it is reset by
its index: no episode is begun anew behind the caller's back.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, get_args

from openenv.client.vector_codec import VectorCodec
from openenv.client.vector_results import FailedResult
from openenv.client.vector_seats import Ask, Seats
from openenv.errors import (
    AtCapacity,
    ConfigurationError,
    FactoryFailed,
    LocalError,
    OpenEnvError,
    Refused,
    RemoteFault,
    SessionBroken,
    SessionLost,
    UnsupportedByServer,
    UsageError,
)
from openenv.protocol import (
    BatchReply,
    Closed,
    Fault,
    GetSnapshot,
    GetState,
    GetView,
    LinkReply,
    Open,
    Opened,
    Restore,
    Restored,
    SnapshotIs,
    ViewIs,
    exception_for,
    rule_of,
)
from openenv.types import StepResult

__all__ = ["Autoreset", "Roster"]

Autoreset = Literal["next_step", "same_step", "off"]

_NO_ENTRY = (AtCapacity, FactoryFailed, Refused)


class Roster:
    """The environments of one vector.

    Args:
        num_envs: How many.
        codec: Reads and writes their values.
        autoreset: When an episode that has ended is followed by another.

    Attributes:
        seats: Where they live.
        finished: Results that nobody has received yet, in the order in which they came.
        refused: What keeps environments from having a session, by index.
    """

    def __init__(self, num_envs: int, codec: VectorCodec, autoreset: Autoreset) -> None:
        if autoreset not in get_args(Autoreset):
            raise ConfigurationError(f"autoreset={autoreset!r} is unknown; it is next_step, same_step or off")
        self.num_envs = num_envs
        self.seats = Seats(num_envs)
        self.finished: dict[int, Any] = {}
        self.refused: dict[int, OpenEnvError] = {}
        self._codec = codec
        self._autoreset = autoreset
        self._under_way: list[Ask | None] = [None] * num_envs
        self._lost: list[SessionLost | None] = [None] * num_envs
        self._ended = [False] * num_envs
        self._final: dict[int, StepResult[Any]] = {}
        self._dead: dict[int, OpenEnvError | None] = {}  # links that have ended, and why they cannot be made anew

    # ---- what is asked

    def pick(self, indices: Iterable[int] | None) -> Sequence[int]:
        """Check indices that the caller gave; None for all.

        Raises:
            UsageError: There is no such environment, or it is named twice.
        """
        if indices is None:
            return range(self.num_envs)
        picked = [int(index) for index in indices]
        if wrong := [index for index in picked if not 0 <= index < self.num_envs]:
            raise UsageError(f"there is no environment {wrong[0]}; they are 0 to {self.num_envs - 1}")
        if len(set(picked)) != len(picked):
            raise UsageError("an environment is named twice; each can be asked once at a time")
        return picked

    def reset(self, indices: Sequence[int], options: Sequence[Mapping[str, Any]], timeout_s: float | None) -> list[Ask]:
        """Begin episodes, in new sessions where the old ones are lost; what is under way there is given up."""
        asks: list[Ask] = []
        for number, positions in self.seats.by_link(indices).items():
            members = [indices[position] for position in positions]
            for index in members:
                self.finished.pop(index, None)
                self._final.pop(index, None)
                self._under_way[index] = None
            if (error := self._dead.get(number)) is not None:
                self.finished |= {index: FailedResult(error) for index in members}
                continue
            asks += self._reopen(number, members)
            data = [dict(options[position]) for position in positions]
            asks.append(self._begin(self.seats.ask(number, "reset", members, data, timeout_s)))
        return asks

    def go_on(self, indices: Sequence[int]) -> list[Ask]:
        """Begin the next episodes in the same sessions. Raises UsageError as `step` does."""
        self._require_free(indices)
        return self._ask_living("reset", indices)

    def step(self, indices: Sequence[int], actions: Sequence[Any], timeout_s: float | None) -> list[Ask]:
        """Act, or begin the next episode where the last one has ended, as the autoreset mode says.

        Raises:
            LocalError: An action cannot be sent; nothing has happened then.
            UsageError: An environment has something under way, or a result that was not received.
        """
        self._require_free(indices)
        resting = {index for index in indices if self._ended[index]} if self._autoreset == "next_step" else set()
        asks: list[Ask] = []
        for number, positions in self.seats.by_link(indices).items():
            moving = [p for p in positions if indices[p] not in resting and self._lost[indices[p]] is None]
            begun = [indices[p] for p in positions if indices[p] in resting and self._lost[indices[p]] is None]
            if moving:
                members = [indices[position] for position in moving]
                data = self._written(number, [actions[position] for position in moving])
                asks.append(self.seats.ask(number, "step", members, data, timeout_s))
            if begun:
                asks.append(self.seats.ask(number, "reset", begun, None, timeout_s))
        return self._begin_all(asks, indices)

    def state(self, indices: Sequence[int]) -> list[Ask]:
        """Read states. Raises UsageError as `step` does."""
        self._require_free(indices)
        return self._ask_living("state", indices)

    def view(self, indices: Sequence[int]) -> list[Ask]:
        """Ask how environments show their latest observations. Raises UsageError as `step` does."""
        self._require_free(indices)
        living = [index for index in indices if self._lost[index] is None]
        return self._begin_all([self.seats.ask_one(index, GetView()) for index in living], indices)

    def check_restorable(self, indices: Sequence[int]) -> None:
        """Raise UsageError as `step` does, and UnsupportedByServer where there are no snapshots."""
        self._require_free(indices)
        if any(self.seats.is_plain(self.seats.link_of(index)) for index in indices):
            raise UnsupportedByServer("snapshots need a server that speaks dialect 2, as those of openenv-runtime do")

    def snapshot(self, index: int) -> list[Ask]:
        """Save one. Raises UsageError as `step` does, and UnsupportedByServer where that cannot be."""
        self.check_restorable([index])
        living = [index] if self._lost[index] is None else []
        return self._begin_all([self.seats.ask_one(each, GetSnapshot()) for each in living], [index])

    def restore(self, indices: Sequence[int], snapshot: bytes, *, like: int) -> list[Ask]:
        """Go on from a snapshot of `like`, in new sessions where the old ones are lost. Raises as `snapshot` does."""
        self.check_restorable(indices)
        asks: list[Ask] = []
        for number, positions in self.seats.by_link(indices).items():
            members = [indices[position] for position in positions]
            if (error := self._dead.get(number)) is not None:
                self.finished |= {index: FailedResult(error) for index in members}
                continue
            asks += self._reopen(number, members)
            for index in members:
                self._ended[index] = self._ended[like]
                asks.append(self._begin(self.seats.ask_one(index, Restore(snapshot))))
        return asks

    def is_under_way(self, indices: Iterable[int]) -> bool:
        """Tell whether any of these waits for a reply."""
        under_way = self._under_way
        return any(under_way[index] is not None for index in indices)

    def awaits(self, ask: Ask) -> bool:
        """Tell whether any environment waits for the reply to this."""
        return any(self._under_way[index] is ask for index in ask.indices)

    # ---- links

    def dead_links(self, indices: Iterable[int]) -> list[int]:
        """Name the links that must be made anew before these environments can be reset."""
        return sorted({number for index in indices if self._needs_link(number := self.seats.link_of(index), index)})

    def renewed(self, number: int) -> None:
        """Take note that a link was made anew. What was on it stays lost until it is reset."""
        self._dead.pop(number, None)
        self.seats.renew(number)

    def unreachable(self, number: int, error: OpenEnvError) -> None:
        """Take note that a link could not be made anew, so that nothing on it can be reset for now."""
        self.lose(number, error)
        self._dead[number] = error

    def check_links(self) -> None:
        """Raise SessionLost if a link has ended."""
        for number in self._dead:
            lost = self._lost[self.seats.members(number)[0]]
            assert lost is not None  # as everything on it
            raise lost

    def lose(self, number: int, error: BaseException) -> None:
        """Take note that a link has ended, and everything on it."""
        self._dead[number] = None
        for index in self.seats.members(number):
            lost = self._lost[index] = _lost(index, error)
            if self._under_way[index] is not None:
                self._finish(index, FailedResult(lost))

    # ---- what comes of it

    def take(self, ask: Ask, reply: LinkReply) -> list[Ask]:
        """Take a reply, or a part of one, and say what to ask next."""
        match reply:
            case Closed():
                return []
            case Opened():
                for lane, fault in reply.errors.items():
                    self._refuse(ask.indices[reply.lanes.index(lane)], exception_for(fault))
                return []
            case BatchReply():
                read = self._codec.states if reply.op == "state" else self._codec.results
                return self._took(ask, self.seats.indices_at(ask, reply.lanes), read(reply))
            case ViewIs():
                return self._took(ask, ask.indices, [reply.view])
            case SnapshotIs():
                return self._took(ask, ask.indices, [reply.snapshot])
            case Restored():
                return self._took(ask, ask.indices, [None])
            case Fault():
                return self._took_fault(ask, exception_for(reply))
            case _:
                read_one: Any = self._codec.state if ask.op == "state" else self._codec.result
                return self._took(ask, ask.indices, [read_one(reply)])

    def fail(self, ask: Ask, error: OpenEnvError, *, is_lost: bool) -> None:
        """Take note that there will be no reply; `is_lost` tells whether the sessions go with it."""
        for index in ask.indices:
            if self._is_entry(ask):
                self._refuse(index, error)
            elif self._under_way[index] is ask:
                if is_lost:
                    self._lost[index] = SessionBroken(
                        f"an earlier call was given up ({error}); reset(indices=[{index}]) begins another episode",
                        error,
                    )
                self._finish(index, FailedResult(error))

    def strand(self, indices: Iterable[int]) -> None:
        """Give up what is under way in these, since nobody will answer it."""
        for index in indices:
            if (ask := self._under_way[index]) is not None:
                self.fail(ask, LocalError("the call was interrupted, and its reply is gone"), is_lost=True)

    def _took_fault(self, ask: Ask, error: RemoteFault) -> list[Ask]:
        if isinstance(ask.request, Open) or (self.seats.is_plain(ask.link) and isinstance(error, _NO_ENTRY)):
            for index in ask.indices:
                self._refuse(index, error)
        return self._took(ask, ask.indices, [FailedResult(error) for _ in ask.indices])

    def _took(self, ask: Ask, indices: Sequence[int], results: Sequence[Any]) -> list[Ask]:
        under_way, finished, final, ended = self._under_way, self.finished, self._final, self._ended
        is_episode = ask.op in ("reset", "step")
        resets = self._autoreset == "same_step" and ask.op == "step"
        again: list[int] = []
        for index, result in zip(indices, results, strict=True):
            if under_way[index] is not ask:
                continue  # it was given up meanwhile
            under_way[index] = None
            if type(result) is FailedResult:
                self._finish(index, self._failed(index, result))
                continue
            if is_episode:
                ended[index] = result.done
                if resets and result.done:
                    final[index] = result
                    again.append(index)
                    continue
            finished[index] = self._with_final(index, result) if final else result
        return [self._begin(self.seats.ask(ask.link, "reset", again, None, None))] if again else []

    # ---- inside

    def _reopen(self, number: int, members: Sequence[int]) -> list[Ask]:
        """Open sessions in place of those that are lost."""
        anew = [index for index in members if self._lost[index] or not self.seats.is_open(index)]
        for index in anew:
            self._lost[index] = None
            self.refused.pop(index, None)
        return self.seats.reopen(number, anew)

    def _failed(self, index: int, result: FailedResult) -> FailedResult:
        """Look into a failure: whether the session is gone, and whether it ever was."""
        error = result.error
        if isinstance(error, RemoteFault) and _ends_session(error):
            self._lost[index] = self._lost[index] or _lost(index, error)
            refused = self.refused.get(index)
            return result if refused is None else FailedResult(refused)
        return result

    def _is_entry(self, ask: Ask) -> bool:
        """Whether the reply tells if there is a session, and nobody waits for it otherwise."""
        return isinstance(ask.request, Open) or (isinstance(ask.request, GetState) and not self.awaits(ask))

    def _refuse(self, index: int, error: OpenEnvError) -> None:
        self.refused[index] = error
        self._lost[index] = _lost(index, error)
        self.seats.vacate(index)

    def _finish(self, index: int, result: FailedResult) -> None:
        self._under_way[index] = None
        self.finished[index] = self._with_final(index, result)

    def _with_final(self, index: int, begun: Any) -> Any:
        """Join the end of an episode, where there was one, to the beginning of the next."""
        final = self._final.pop(index, None)
        if final is not None:
            begun.final = final
            if type(begun) is not FailedResult:
                begun.reward, begun.done, begun.truncated = final.reward, final.done, final.truncated
        return begun

    def _ask_living(self, op: str, indices: Sequence[int]) -> list[Ask]:
        asks: list[Ask] = []
        for number, positions in self.seats.by_link(indices).items():
            if living := [indices[position] for position in positions if self._lost[indices[position]] is None]:
                asks.append(self.seats.ask(number, op, living, None, None))
        return self._begin_all(asks, indices)

    def _begin(self, ask: Ask) -> Ask:
        for index in ask.indices:
            self._under_way[index] = ask
        return ask

    def _begin_all(self, asks: list[Ask], indices: Sequence[int]) -> list[Ask]:
        """Take note of what is asked; where nothing is, because the session is lost, that is the answer."""
        for ask in asks:
            self._begin(ask)
        for index in indices:
            if (lost := self._lost[index]) is not None:
                self.finished[index] = FailedResult(lost)
        return asks

    def _require_free(self, indices: Sequence[int]) -> None:
        for index in indices:
            if self._under_way[index] is not None or index in self.finished:
                raise UsageError(
                    f"environment {index} has a call under way, or a result that was not received: recv() it, or reset"
                )

    def _needs_link(self, number: int, index: int) -> bool:
        gave_up = self._lost[index] is not None or self._under_way[index] is not None
        return number in self._dead or (self.seats.is_plain(number) and gave_up)

    def _written(self, number: int, actions: Sequence[Any]) -> Any:
        if self.seats.is_plain(number):
            return [self._codec.action(action) for action in actions]
        return self._codec.actions(actions)


def _ends_session(error: RemoteFault) -> bool:
    return rule_of(error.code).ends_session or error.details.get("session_lost") is True


def _lost(index: int, error: BaseException) -> SessionLost:
    lost = SessionLost(
        f"the episode of environment {index} is lost ({type(error).__name__}: {error}); "
        f"reset(indices=[{index}]) begins another"
    )
    lost.__cause__ = error
    return lost
