"""What our kinds share with all of Kubernetes: object metadata, conditions, references."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

from pydantic import (
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    SerializerFunctionWrapHandler,
    model_serializer,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from maas_operator.api.base import ATOMIC, ApiModel, Bool, Int, ListOf, text
from maas_operator.api.fields import DnsLabel, ObjectName, Timestamp


class OwnerReference(ApiModel):
    """A reference to an object in the same namespace that owns this one."""

    api_version: str
    kind: str
    name: str
    uid: str
    controller: Bool | None = None
    block_owner_deletion: Bool | None = None


class ObjectMeta(ApiModel):
    """The metadata that the operator reads; an empty `namespace`, `uid` or `resourceVersion` means: not known."""

    name: str
    namespace: str = ""
    uid: str = ""
    generation: Int = 0
    resource_version: str = ""
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)
    finalizers: tuple[str, ...] = ()
    owner_references: tuple[OwnerReference, ...] = ()
    creation_timestamp: Timestamp | None = None
    deletion_timestamp: Timestamp | None = None

    @model_serializer(mode="wrap")
    def _without_empty(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {key: value for key, value in handler(self).items() if value}


class ConditionStatus(StrEnum):
    """The three values of a condition."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class Condition(ApiModel):
    """A condition as in metav1."""

    type: Annotated[str, Field(max_length=316)]
    """What the condition is about."""
    status: ConditionStatus
    """True, False or Unknown."""
    reason: Annotated[str, Field(min_length=1, max_length=128)]
    """A stable word for programs; the documentation explains each."""
    message: Annotated[str, Field(max_length=1024)] = ""
    """What is wrong and what to do, for people."""
    observed_generation: Annotated[Int, Field(ge=0)] | None = None
    """The generation of the object that this was computed from."""
    last_transition_time: Timestamp
    """When `status` changed last."""


Conditions = Annotated[tuple[Condition, ...], Field(max_length=16), ListOf(("type",))]


class Child(ApiModel):
    """An object that the operator made, or is about to make, for this one."""

    api_version: Annotated[str, Field(max_length=128)]
    kind: Annotated[str, Field(max_length=63)]
    namespace: Annotated[str, Field(max_length=63)]
    name: Annotated[str, Field(max_length=253)]
    uid: Annotated[str, Field(max_length=64)] | None = None
    """Absent until the object was seen."""
    ready: Bool | None = None
    """Whether it has done its part."""
    reason: Annotated[str, Field(max_length=128)] | None = None
    """Why it has not."""
    applied_hash: Annotated[str, Field(max_length=64)] | None = None
    """Hash of what was written last, without what is in Secrets: what is still so is not written again."""


Children = Annotated[tuple[Child, ...], Field(max_length=256), ListOf(("api_version", "kind", "namespace", "name"))]


class Action(StrEnum):
    """What becomes of an object."""

    CREATE = "Create"
    CHANGE = "Change"
    DELETE = "Delete"


class PendingChange(ApiModel):
    """A write that waits until somebody lets the operator make it."""

    action: Action
    """What would become of the object."""
    kind: Annotated[str, Field(max_length=63)]
    namespace: Annotated[str, Field(max_length=63)] = ""
    name: Annotated[str, Field(max_length=253)]
    message: Annotated[str, Field(max_length=1024)] = ""
    """The fields that would change, shortened."""


PENDING_LIMIT = 100
PendingChanges = Annotated[tuple[PendingChange, ...], Field(max_length=PENDING_LIMIT), ATOMIC]
CONSEQUENCES_LIMIT = 50
Consequences = Annotated[
    tuple[Annotated[str, Field(max_length=1024)], ...], Field(max_length=CONSEQUENCES_LIMIT), ATOMIC
]


class SecretReference(ApiModel):
    """A Secret by name; the field says in which namespace."""

    name: ObjectName
    """Name of the Secret."""


class ConfigMapKey(ApiModel):
    """One value of a ConfigMap."""

    name: ObjectName
    """Name of the ConfigMap."""
    key: Annotated[str, text(r"^[-._a-zA-Z0-9]+$", max_length=253)]
    """Key of the value."""


class ClusterReference(ApiModel):
    """A cluster-scoped object by name."""

    name: DnsLabel = "default"
    """Name of the object."""


@dataclass(frozen=True, slots=True)
class Named:
    """What the schema demands of `metadata.name`; a CRD can not see the namespace, so that part is a condition."""

    pattern: str
    max_length: int

    def check(self, metadata: ObjectMeta) -> ObjectMeta:
        """Return the metadata, or raise a ValueError that says which names are allowed."""
        if len(metadata.name) > self.max_length or not re.fullmatch(self.pattern, metadata.name):
            raise ValueError(f"name must match {self.pattern} and have at most {self.max_length} characters")
        return metadata

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        # The server owns the schema of metadata and lets a CRD restrict only the name.
        name = {"type": "string", "pattern": self.pattern, "maxLength": self.max_length}
        return {"type": "object", "properties": {"name": name}}


class Resource(ApiModel):
    """A top-level object of our API group."""

    api_version: str
    kind: str
    metadata: ObjectMeta
