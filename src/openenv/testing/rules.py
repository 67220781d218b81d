"""The rules that every environment keeps, on a server or in this process: a list of checks about a `Subject`.

Each looks at what sessions answer. Most look at one and the same episode, which is played once.
"""

import math
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import Any

from openenv.errors import OpenEnvError
from openenv.hub.report import CannotTell, Check, Outcome, failed, not_checked, passed
from openenv.protocol import GetState, Reset, Step
from openenv.testing.actions import misfit
from openenv.testing.exchange import EPISODE, SEED, Answer, Moment, Session, Subject, Trace, play
from openenv.testing.schema import Schema, SchemaNotUnderstood, violations

__all__ = ["RULES"]

_TOGETHER = 4
_BESIDE = ("reward", "done", "truncated")
_NOT_MADE_UP = "give some actions that your environment takes"


def _reset(subject: Subject) -> Outcome:
    with subject.open() as session:
        data = session.must(Reset({}))
        if not isinstance(data.get("observation"), Mapping):
            return failed(f"reset was answered with {dict(data)!r}, which holds no observation")
    return passed("a session opens, and reset gives an observation")


def _step(subject: Subject) -> Outcome:
    trace = _trace(subject)
    if trace.broke is not None:
        return failed(f"after {_told(trace)}: {trace.broke}")
    faults = [moment for moment in trace.moments[1:] if not moment.is_observed]
    if trace.steps:
        others = (f"{moment.name} was refused: {moment.answer}" for moment in faults)
        return passed(f"{trace.steps} of {len(trace.moments) - 1} steps carried out", *others)
    if any(moment.answer.code == "OBSERVATION_ERROR" for moment in faults):
        return failed(*(str(moment.answer) for moment in faults[:1]), remedy="correct what step returns")
    if not faults:
        return not_checked("the episode is over after its reset, or there is no action to try", remedy=_NOT_MADE_UP)
    said = (f"{moment.name}: {moment.answer}" for moment in faults)
    return not_checked("no action was taken", *said, remedy=_NOT_MADE_UP)


def _observation(subject: Subject) -> Outcome:
    trace = _observed(subject)
    schema = subject.schemas["observation"]
    first = subject.schemas.get("reset_observation", schema)
    wrong = []
    for moment in trace.observed:
        expected = first if moment.name == "reset" else schema
        wrong += [f"{moment.name}: {what}" for what in _misses(_whole(moment.answer, expected), expected)]
    if wrong:
        return failed(*wrong, remedy="give the observation class the fields and types that are sent")
    return passed(f"{len(trace.observed)} observations fit the schema")


def _state(subject: Subject) -> Outcome:
    states = [state for state in _trace(subject).states if state is not None]
    if not states:
        return failed("state was answered with a fault, or not at all")
    wrong = [what for state in states for what in _misses(state, subject.schemas["state"])]
    if wrong:
        return failed(*wrong, remedy="give the state class the fields and types that are sent")
    return passed(f"{len(states)} states fit the schema")


def _reward(subject: Subject) -> Outcome:
    trace = _trace(subject)
    wrong = [what for moment in trace.moments if (what := _wrong_reward(moment)) is not None]
    if wrong:
        return failed(*wrong, remedy="a reward is a finite number, or null where none is due")
    if not trace.observed:
        raise CannotTell("no observation came, so no reward did")
    return passed("rewards: " + ", ".join(repr(moment.answer.data.get("reward")) for moment in trace.observed))


def _flags(subject: Subject) -> Outcome:
    trace = _observed(subject)
    wrong = []
    for moment in trace.observed:
        data = moment.answer.data
        if not isinstance(data.get("done"), bool):
            wrong.append(f"{moment.name}: done is {data.get('done')!r}")
        if not isinstance(data.get("truncated", False), bool):
            wrong.append(f"{moment.name}: truncated is {data['truncated']!r}")
        elif data.get("truncated") and data.get("done") is False:
            wrong.append(f"{moment.name}: truncated is true, and done is false")
    return failed(*wrong, remedy="send true or false") if wrong else passed(f"{len(trace.observed)} observations")


def _contract(subject: Subject) -> Outcome:
    """Count by hand what the state says it counts."""
    wrong: list[str] = []
    with subject.open() as session:
        name = "openenv-validate-contract"
        session.must(Reset({"episode_id": name}))
        wrong += _departures(_read(session), name, 0, "after reset")
        taken = 0
        for action in subject.actions:
            answer = session.ask(Step(action))
            if answer.kind == "observation":
                taken += 1
                wrong += _departures(_read(session), name, taken, f"after {_times(taken)}")
            # Whether a step that raised has counted is its author's business; one that was never carried out has not.
            if wrong or answer.data.get("done") or answer.code not in (None, "VALIDATION_ERROR"):
                break
    if wrong:
        return failed(*wrong, remedy="reset(episode_id=...) sets state.episode_id and begins step_count at 0")
    return passed(f"episode_id is the one given, and step_count counts {_times(taken)}")


def _again(subject: Subject) -> Outcome:
    with subject.open() as session:
        session.must(Reset({"seed": SEED, "episode_id": "openenv-validate-first"}))
        _take(session, subject)
        session.must(Reset({"seed": SEED, "episode_id": "openenv-validate-second"}))
        count = _read(session).get("step_count")
        if isinstance(count, int) and count != 0:
            return failed(f"after a second reset step_count is {count}", remedy="begin anew in reset")
        data = session.must(Reset({}))
        if data.get("done"):
            return failed("after a third reset the episode is done already", remedy="begin anew in reset")
        _take(session, subject)
    return passed("a session was reset three times, in mid-episode and right after a reset")


def _deterministic(subject: Subject) -> Outcome:
    first, second = _solo(subject), _solo(subject)
    if differing := _difference(first, second):
        return failed(differing, remedy="draw all chance from a generator that reset(seed=...) seeds")
    return passed(f"two sessions with seed {SEED} gave the same {len(first.moments)} answers")


def _bad_action(subject: Subject) -> Outcome:
    try:
        wrong = misfit(subject.schemas["action"])
    except SchemaNotUnderstood as error:
        raise CannotTell(str(error)) from error
    if wrong is None:
        return passed("the schema takes every object, so no action can be bad")
    with subject.open() as session:
        session.must(Reset({}))
        taken = _take(session, subject)
        before = _read(session).get("step_count")
        answer = session.ask(Step(wrong))
        if answer.kind != "error":
            return failed(f"{wrong!r} does not fit the schema, and was taken", remedy="validate actions by their class")
        try:
            after = _read(session).get("step_count")
        except OpenEnvError as error:
            return failed(f"the session did not outlive {wrong!r}: {error}")
        if answer.code != "VALIDATION_ERROR":
            return failed(f"{wrong!r} was answered with {answer}, which does not blame the action")
        if before != after:
            return failed(f"a refused action counted: step_count went from {before} to {after}")
    return passed(f"{wrong!r} was answered with {answer.code}, and the session lived, {_times(taken)} in")


def _isolated(subject: Subject) -> Outcome:
    """Let some sessions run side by side, and see whether each is what it is alone."""
    room = subject.room(_TOGETHER)
    if room < 2:
        return passed("one session at a time is all it promises")
    alone, once_more = _solo(subject), _solo(subject)
    counts = _keeps_state(alone)
    repeats = not _difference(alone, once_more)
    if not counts and not repeats:
        raise CannotTell(
            "a session alone neither counts its steps nor repeats itself, so nothing would tell of sharing"
        )
    wrong: list[str] = []
    with ExitStack() as stack:
        sessions = [stack.enter_context(subject.open()) for _ in range(room)]
        moments: list[list[Moment]] = [[] for _ in sessions]
        for number, session in enumerate(sessions):
            options = {"seed": SEED, "episode_id": _name(number)}
            moments[number].append(Moment("reset", session.ask(Reset(options))))
        for step, action in enumerate(subject.actions[: len(alone.moments) - 1], start=1):
            for number, session in enumerate(sessions):
                moments[number].append(Moment(f"step {step}", session.ask(Step(action))))
        for number, session in enumerate(sessions):
            if counts:
                found = _departures(_read(session), _name(number), alone.steps, "at the end")
                wrong += [f"session {number + 1} of {room}: {what}" for what in found]
            if repeats and (differing := _difference(_named(alone, number), Trace(tuple(moments[number])))):
                wrong.append(f"session {number + 1} of {room} is not what it is alone: {differing}")
    if wrong:
        return failed(*wrong, remedy="keep an episode in the instance, or set SUPPORTS_CONCURRENT_SESSIONS = False")
    return passed(f"{room} sessions side by side did not see each other")


def _released(subject: Subject) -> Outcome:
    count = subject.many
    for number in range(1, count + 1):
        try:
            with subject.open() as session:
                session.must(Reset({}))
            problem = session.close_problem
        except OpenEnvError as error:
            problem = str(error)
        if problem is not None:
            return failed(
                f"session {number} of {count}, all before it closed: {problem}",
                remedy="close() must come to an end, and let go of what the environment holds",
            )
    return passed(f"{count} sessions were opened and closed one after another")


RULES: tuple[Check[Subject], ...] = (
    Check(id="session.reset", title="A session opens and resets", run=_reset),
    Check(id="session.step", title="Actions made from the schema can be taken", run=_step, needs=("session.reset",)),
    Check(id="reward.finite", title="Rewards are finite numbers or null", run=_reward),
    Check(
        id="schema.observation", title="Observations are as /schema says", run=_observation, needs=("session.reset",)
    ),
    Check(id="schema.state", title="States are as /schema says", run=_state, needs=("session.reset",)),
    Check(id="flags.boolean", title="done and truncated are true or false", run=_flags, needs=("session.reset",)),
    Check(id="state.contract", title="The state names the episode and counts", run=_contract, needs=("session.step",)),
    Check(id="reset.again", title="A session can be reset again", run=_again, needs=("session.step",)),
    Check(
        id="seed.deterministic", title="The same seed, the same episode", run=_deterministic, needs=("session.step",)
    ),
    Check(id="fault.bad_action", title="A bad action is refused by type", run=_bad_action, needs=("session.reset",)),
    Check(id="session.isolated", title="Sessions do not see each other", run=_isolated, needs=("session.step",)),
    Check(
        id="session.released", title="A closed session gives its place back", run=_released, needs=("session.reset",)
    ),
)


def _trace(subject: Subject) -> Trace:
    trace = subject.trace
    if not trace.moments and trace.broke is not None:
        raise trace.broke
    return trace


def _observed(subject: Subject) -> Trace:
    trace = _trace(subject)
    if not trace.observed:
        raise CannotTell(f"no observation came: {_told(trace)}")
    return trace


def _told(trace: Trace) -> str:
    if not trace.moments:
        return "nothing"
    last = trace.moments[-1]
    return last.name if last.is_observed else f"{last.name}, answered with {last.answer}"


def _solo(subject: Subject) -> Trace:
    with subject.open() as session:
        trace = play(session, subject.actions)
    if trace.broke is not None:
        raise trace.broke
    return trace


def _take(session: Session, subject: Subject) -> int:
    """Take a few steps; give how many were carried out."""
    taken = 0
    for action in subject.actions[:2]:
        answer = session.ask(Step(action))
        taken += answer.kind == "observation"
        if answer.data.get("done"):
            break
    return taken


def _read(session: Session) -> Mapping[str, Any]:
    return session.must(GetState())


def _departures(state: Mapping[str, Any], name: str, count: int, when: str) -> Iterator[str]:
    if state.get("episode_id") != name:
        yield f"{when} state.episode_id is {state.get('episode_id')!r}, not {name!r}"
    found = state.get("step_count")
    if isinstance(found, bool) or found != count:
        yield f"{when} state.step_count is {found!r}, not {count}"


def _keeps_state(alone: Trace) -> bool:
    first, last = alone.states
    counts = [state.get("step_count") if isinstance(state, Mapping) else None for state in (first, last)]
    names = [state.get("episode_id") if isinstance(state, Mapping) else None for state in (first, last)]
    return counts == [0, alone.steps] and names[0] == names[1] == EPISODE


def _name(number: int) -> str:
    return f"{EPISODE}-{number}"


def _named(alone: Trace, number: int) -> Trace:
    """Put another episode's name where this one's stands, for environments whose observations tell it."""
    moments = (Moment(m.name, Answer(m.answer.kind, _renamed(m.answer.data, _name(number)))) for m in alone.moments)
    return Trace(tuple(moments))


def _renamed(value: Any, name: str) -> Any:
    if isinstance(value, str):
        return value.replace(EPISODE, name)
    if isinstance(value, Mapping):
        return {key: _renamed(item, name) for key, item in value.items()}
    return [_renamed(item, name) for item in value] if isinstance(value, list) else value


def _difference(one: Trace, other: Trace) -> str | None:
    """Say where two traces part; None when they do not."""
    for first, second in zip(one.moments, other.moments, strict=False):
        if first.essence != second.essence:
            where, before, after = _parted(first.essence, second.essence, "")
            return f"{first.name}: {where} is {before!r} once and {after!r} once"
    if len(one.moments) != len(other.moments):
        return f"one episode had {_times(len(one.moments) - 1)}, the other {_times(len(other.moments) - 1)}"
    return None


def _parted(one: Any, other: Any, at: str) -> tuple[str, Any, Any]:
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        for key in (*one, *other):
            if key not in one or key not in other or one[key] != other[key]:
                return _parted(one.get(key), other.get(key), f"{at}.{key}" if at else str(key))
    return at or "the answer", one, other


def _whole(answer: Answer, schema: Schema) -> Any:
    """Put what travels beside an observation back into it, where the schema has a place for it."""
    observation = answer.data.get("observation")
    if not isinstance(observation, Mapping):
        return observation
    places = schema.get("properties", {}) if isinstance(schema, Mapping) else {}
    beside = {key: answer.data[key] for key in _BESIDE if key in places and key in answer.data}
    return {**beside, **observation}


def _misses(value: Any, schema: Schema) -> list[str]:
    try:
        return violations(value, schema)
    except SchemaNotUnderstood as error:
        raise CannotTell(str(error)) from error


def _wrong_reward(moment: Moment) -> str | None:
    data = moment.answer.data
    if moment.answer.code == "OBSERVATION_ERROR" and data.get("field") == "reward":
        return f"{moment.name}: {moment.answer}"
    if not moment.is_observed:
        return None
    if "reward" not in data:
        return f"{moment.name}: there is no reward"
    reward = data["reward"]
    if reward is None or isinstance(reward, bool):
        return None
    if not isinstance(reward, int | float) or not math.isfinite(reward):
        return f"{moment.name}: the reward is {reward!r}"
    return None


def _times(count: int) -> str:
    return f"{count} step{'' if count == 1 else 's'}"
