"""`InSpace`: a field of an action or an observation that holds a member of a Gymnasium space."""

from typing import Any

from gymnasium import Space
from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, SerializationInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from openenv.env.encoding import RAW
from openenv.gym.schema import schema_of
from openenv.gym.values import Misfit, decode, encode, has_arrays, is_inside, plain

__all__ = ["InSpace"]


class InSpace:
    """Says by `Annotated[Any, InSpace(space)]` that a field holds a member of `space`.

    The field is validated as such and is a value of the space's kind afterwards: an array of its data type, a tuple and
    so on. Arrays travel as they are to peers that take them, and as lists in JSON. `/schema` shows the field as JSON
    schema and declares the space, by which `openenv.gym.make` knows what to build.

    Attributes:
        space: The space.
        takes_arrays: Whether its members hold arrays, which are then not made lists on their way in.

    Raises:
        ConfigurationError: The space cannot be declared; see `space_to_json`.
    """

    def __init__(self, space: Space[Any]) -> None:
        self.space = space
        self.takes_arrays = has_arrays(space)
        self._schema = schema_of(space)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            self._validated,
            serialization=core_schema.plain_serializer_function_ser_schema(self._encoded, info_arg=True),
        )

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return dict(self._schema)

    def _validated(self, value: Any) -> Any:
        try:
            member = decode(self.space, value)
        except Misfit as error:
            raise self._outside(str(error)) from error
        if not is_inside(self.space, member):
            raise self._outside("the value lies outside")
        return member

    def _encoded(self, value: Any, info: SerializationInfo[Any]) -> Any:
        encoded = encode(self.space, value)
        return encoded if info.context is RAW or info.mode == "python" else plain(encoded)

    def _outside(self, reason: str) -> PydanticCustomError:
        shown = str(self.space)
        name = shown if len(shown) <= 200 else f"{shown[:197]}..."
        details = {"space": name, "reason": reason}
        return PydanticCustomError("not_in_space", "Input should be in {space}; {reason}", details)
