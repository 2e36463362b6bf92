"""What every API model shares, and the Kubernetes validations that pydantic has no word for."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Final, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    Strict,
    StringConstraints,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

GROUP: Final = "maas-operator.io"
VERSION: Final = "v1alpha1"
API_VERSION: Final = "maas-operator.io/v1alpha1"

VALIDATIONS = "x-kubernetes-validations"
LIST_TYPE = "x-kubernetes-list-type"
LIST_MAP_KEYS = "x-kubernetes-list-map-keys"
MAP_TYPE = "x-kubernetes-map-type"


def field_name(attribute: str) -> str:
    """Return the API's name of an attribute: camelCase, with ID, URL and API in capitals as Kubernetes writes them."""
    return re.sub(r"(Id|Url)$|Api", lambda match: match[0].upper(), to_camel(attribute))


@dataclass(frozen=True, slots=True)
class Rule:
    """A CEL rule and the same verdict in Python; `holds` is None for a transition rule, which only a server can judge.

    Use it as `Annotated` metadata of a field, or in `RULES` of a model.
    """

    cel: str
    message: str
    holds: Callable[[Any], bool] | None = None

    def check(self, value: Any) -> Any:
        """Return the value, or raise the rule's message as a ValueError."""
        if self.holds is not None and not self.holds(value):
            raise ValueError(self.message)
        return value

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        json_schema = handler(schema)
        return json_schema | {VALIDATIONS: [*json_schema.get(VALIDATIONS, ()), self.as_validation()]}

    def as_validation(self) -> dict[str, str]:
        """Return the entry for `x-kubernetes-validations`."""
        return {"rule": self.cel, "message": self.message}


def immutable(field: str, remedy: str) -> Rule:
    """Return the transition rule that keeps a field as it was created."""
    return Rule(cel="self == oldSelf", message=f"{field} is immutable: {remedy}")


@dataclass(frozen=True, slots=True)
class ListOf:
    """The list type of a field: a map by `keys`, a set without keys; both refuse duplicates as the server does."""

    keys: tuple[str, ...] = ()

    def check(self, items: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return the items, or raise a ValueError that names the first duplicate."""
        seen = set()
        for item in items:
            identity = tuple(getattr(item, key) for key in self.keys) if self.keys else item
            if identity in seen:
                raise ValueError(f"duplicate entry {self._describe(identity)}")
            seen.add(identity)
        return items

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        if not self.keys:
            return handler(schema) | {LIST_TYPE: "set"}
        return handler(schema) | {LIST_TYPE: "map", LIST_MAP_KEYS: [field_name(key) for key in self.keys]}

    def _describe(self, identity: Any) -> str:
        return "/".join(map(str, identity)) if self.keys else str(identity)


ATOMIC = Field(json_schema_extra={LIST_TYPE: "atomic"})
DISTINCT = Rule(
    cel="self.all(one, self.exists_one(other, other == one))",
    message="no entry can be there twice: take one of them out",
    holds=lambda items: len(set(items)) == len(items),
)
"""For atomic lists. A set with a default would not do: what a server-side apply names would join the default."""


class ApiModel(BaseModel):
    """A frozen part of an API object; unknown fields are dropped, as a newer CRD may know more than this operator."""

    model_config = ConfigDict(
        alias_generator=field_name,
        validate_by_name=True,
        validate_by_alias=True,
        frozen=True,
        extra="ignore",
        use_attribute_docstrings=True,
        hide_input_in_errors=True,
    )

    RULES: ClassVar[tuple[Rule, ...]] = ()

    @model_validator(mode="before")
    @classmethod
    def _null_is_absent(cls, data: Any) -> Any:
        # The API server prunes nulls of non-nullable fields before it applies defaults; so do we.
        if isinstance(data, Mapping):
            return {key: value for key, value in data.items() if value is not None}
        return data

    @model_validator(mode="after")
    def _rules_hold(self) -> Self:
        for rule in self.RULES:
            rule.check(self)
        return self

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        json_schema = handler.resolve_ref_schema(handler(schema))
        if cls.RULES:
            json_schema[VALIDATIONS] = [rule.as_validation() for rule in cls.RULES]
        return json_schema

    def dump(self) -> dict[str, Any]:
        """Return the JSON form with the API's field names; absent fields are left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


Bool = Annotated[bool, Strict()]
Int = Annotated[int, Strict()]


def text(pattern: str, *, max_length: int, min_length: int | None = None) -> StringConstraints:
    """Return the constraints of a string; patterns are RE2, anchored by the caller."""
    return StringConstraints(pattern=pattern, max_length=max_length, min_length=min_length)
