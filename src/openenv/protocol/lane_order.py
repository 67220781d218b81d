"""What each lane of a link does now and next: lanes run side by side, the work of one lane in order of arrival.

Work that cannot be done when its turn comes, on a lane that is not open for instance, is refused here and handed out to
nobody. An idle lane costs its place in a set.

The new lanes of a fork have their turns like others, and are held until there is a snapshot to begin with.
"""

from collections import deque
from collections.abc import Mapping

from openenv.errors import LocalError
from openenv.protocol.dialect1 import invalid
from openenv.protocol.link_messages import Batch, CloseLanes, Fork, Open, cancelled
from openenv.protocol.messages import Fault
from openenv.protocol.served_call import Refused, ServedCall, Work

__all__ = ["LaneOrder"]


class LaneOrder:
    """The lanes of one link.

    Attributes:
        open: The lanes that have a session.
    """

    def __init__(self) -> None:
        self.open: set[int] = set()
        self._running: dict[int, Work] = {}  # what is ready counts as running
        self._waiting: dict[int, deque[Work]] = {}
        self._ready: deque[Work] = deque()
        self._cancelled: deque[Work] = deque()

    def begin(self, call: ServedCall) -> Refused:
        """Give every lane of a call its work, or its place behind what the lane does now."""
        refused: Refused = []
        running = self._running
        is_fork = type(call.request) is Fork
        for index, lane in enumerate(call.lanes):
            if lane in running:
                self._waiting.setdefault(lane, deque()).append((call, index))
            elif (fault := self._refusal(call, index, lane)) is None:
                running[lane] = work = (call, index)
                if not (is_fork and index):
                    self._ready.append(work)
            elif is_fork and not index:  # there is nothing to fork
                return [(call, each, fault) for each in range(len(call.lanes))]
            else:
                refused.append((call, index, fault))
        return refused

    def take(self) -> Work | None:
        """Hand out the next thing to do; None when nothing is ready."""
        return self._ready.popleft() if self._ready else None

    def take_cancelled(self) -> Work | None:
        """Hand out work that was handed out before, is not done yet, and was cancelled."""
        while self._cancelled:
            work = self._cancelled.popleft()
            if self._is_running(work):
                return work
        return None

    def finish(self, work: Work, *, failed: bool) -> Refused:
        """Take note that work is done, so that the lane may go on.

        Raises:
            LocalError: It was not handed out, or is done already.
        """
        call, index = work
        lane = call.lanes[index]
        if self._running.get(lane) is not work:
            raise LocalError("this work is not being done: it has its answer already, or is another link's")
        kind = type(call.request)
        if kind is Batch and lane not in self._waiting:  # what must be quick
            del self._running[lane]
            return []
        if (kind is Open or (kind is Fork and index)) and not failed:
            self.open.add(lane)
        elif kind is CloseLanes:
            self.open.discard(lane)
        refused = self._next(lane)
        if kind is Fork and not index:
            refused += self._give_up_new(call) if failed else self._release(call)
        return self._with_forks(refused) if refused else refused

    def cancel(self, call: ServedCall) -> Refused:
        """Give up what a call still has to do: what waits is refused, and what runs is for `take_cancelled`."""
        refused = [each for index, lane in enumerate(call.lanes) for each in self._give_up(call, index, lane)]
        return self._with_forks(refused)

    def _give_up(self, call: ServedCall, index: int, lane: int) -> Refused:
        running, waiting = self._running.get(lane), self._waiting.get(lane)
        refused: Refused = [(call, index, cancelled(session_lost=False))]
        if running is not None and running[0] is call:
            if _is_held(running):
                return refused + self._next(lane)
            if any(work is running for work in self._ready):
                self._ready.remove(running)
                return refused + self._next(lane)
            self._cancelled.append(running)
        elif waiting is not None and (call, index) in waiting:
            waiting.remove((call, index))
            return refused
        return []

    def _give_up_new(self, fork: ServedCall) -> Refused:
        new = list(enumerate(fork.lanes))[1:]
        return [each for index, lane in new for each in self._give_up(fork, index, lane)]

    def _release(self, fork: ServedCall) -> Refused:
        """Let the new lanes begin, whose turn it is; the others will when it is theirs."""
        for lane in fork.lanes[1:]:
            work = self._running.get(lane)
            if work is not None and work[0] is fork:
                self._ready.append(work)
        return []

    def _with_forks(self, refused: Refused) -> Refused:
        """Add what cannot be done since the lane that it should be forked from has refused."""
        for call, index, _ in refused:  # which grows meanwhile: a chain of forks must not be a recursion
            if type(call.request) is Fork and not index:
                refused += self._give_up_new(call)
        return refused

    def _is_running(self, work: Work) -> bool:
        call, index = work
        return self._running.get(call.lanes[index]) is work

    def _next(self, lane: int) -> Refused:
        del self._running[lane]
        refused: Refused = []
        waiting = self._waiting.get(lane)
        while waiting:
            work = waiting.popleft()
            fault = self._refusal(*work, lane)
            if fault is None:
                self._running[lane] = work
                if not _is_held(work):
                    self._ready.append(work)
                break
            refused.append((*work, fault))
        if waiting is not None and not waiting:
            del self._waiting[lane]
        return refused

    def _refusal(self, call: ServedCall, index: int, lane: int) -> Fault | None:
        """Say why a lane cannot do its work, now that it is its turn; None when it can."""
        request = call.request
        opens = type(request) is Open or (type(request) is Fork and index > 0)
        if lane not in self.open:
            if opens or type(request) is CloseLanes:  # closing what is closed is done at once
                return None
            return Fault("SESSION_NOT_FOUND", f"Lane {lane} is not open.", {"lane": lane})
        if opens:
            return Fault("VALIDATION_ERROR", f"Lane {lane} is open already.", {"lane": lane})
        if type(request) is Batch and request.op == "reset" and request.data is not None:
            options = request.data[index]
            if options is not None and not isinstance(options, Mapping):
                return invalid("dict_type", ("data", str(index)), "Input should be a valid dictionary")
        return None


def _is_held(work: Work) -> bool:
    """Tell the work of a new lane that has no snapshot yet to begin with."""
    call, index = work
    return index > 0 and type(call.request) is Fork and call.snapshot is None
