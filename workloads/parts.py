"""What the parts of a trial are made of: frozen models, one-word forms, bounded numbers."""

import dataclasses
import typing
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import core_schema

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(gt=0, lt=1)]
Count = Annotated[int, Field(ge=1)]
Finite = Annotated[float, Field(allow_inf_nan=False)]


@dataclasses.dataclass(frozen=True)
class Named:
    """Let one-word forms through: ``descent: batch`` is ``{name: batch}``.

    A mapping without a name means the default one, so that a dotted axis such as
    ``model.depth`` needs no ``base.model``.
    """

    default: str

    def complete(self, value: object) -> object:
        """The mapping that is meant."""
        if isinstance(value, str):
            return {"name": value}
        if isinstance(value, dict) and "name" not in value:
            return {"name": self.default, **value}
        return value

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.no_info_before_validator_function(self.complete, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        inner = handler(schema)
        names = sorted(inner.get("discriminator", {}).get("mapping", {})) or [self.default]
        return {"anyOf": [inner, {"type": "string", "enum": names}]}


class Part(BaseModel):
    """Base of everything in a trial: frozen, strict, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


def names_of(part: type[Part]) -> tuple[str, ...]:
    """The names that a part of a union goes by."""
    return typing.get_args(part.model_fields["name"].annotation)
