"""An environment whose action has a field of every kind, and which says what it understood."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from openenv import Action, Environment, Observation, State

__all__ = ["Paint", "Painter", "Painting"]


class Point(BaseModel):
    """A place on the canvas."""

    x: int = Field(ge=0, le=100, description="From the left.")
    y: int = Field(ge=0, le=100, description="From the top.")


class Line(BaseModel):
    kind: Literal["line"] = "line"
    points: list[Point] = Field(default=[], max_length=3, description="Where it goes along.")


class Circle(BaseModel):
    kind: Literal["circle"] = "circle"
    centre: Point
    radius: float = Field(gt=0, le=50, description="In pixels.")


class Paint(Action):
    """Has a field of every kind."""

    title: str = Field(description="Shown below the picture.", min_length=1, pattern="^[A-Z]")
    shape: Annotated[Line | Circle, Field(discriminator="kind")] = Line()
    colour: Literal["red", "green", "blue"] = "green"
    strokes: int = Field(default=3, ge=1, le=9)
    wet: bool = True
    note: str | None = Field(default=None, description="For the frame maker.", json_schema_extra={"format": "textarea"})
    weights: list[float] = Field(default=[1.0], max_length=3)
    size: tuple[int, int] = (640, 480)
    labels: dict[str, int] = Field(default={})
    amount: int | str = 1


class Painting(Observation):
    """Says what was understood."""

    understood: dict[str, Any] = Field(default={})


class Painter(Environment[Paint, Painting, State]):
    """Understands actions with fields of every kind, and refuses what it dislikes."""

    SUPPORTS_CONCURRENT_SESSIONS = True
    BLOCKING = False

    def __init__(self) -> None:
        self._state = State(episode_id="canvas")

    def reset(self) -> Painting:
        self._state = State(episode_id="canvas")
        return Painting(reward=0.0)

    def step(self, action: Paint) -> Painting:
        self._state.step_count += 1
        return Painting(understood=action.model_dump(mode="json", exclude={"metadata"}), reward=1.0)

    @property
    def state(self) -> State:
        return self._state
