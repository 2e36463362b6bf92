"""Where the pods of a model run, and as whom: the fields of a pod that a namespace user may set."""

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from maas_operator.api.base import ATOMIC, ApiModel, Int, ListOf, Rule, text
from maas_operator.api.fields import DnsLabel, JsonObject, ObjectName
from maas_operator.api.meta import SecretReference

_NAME = r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_PREFIX = r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?"
_LABEL = rf"^({_PREFIX}/)?{_NAME}$"
_VALUE = rf"^({_NAME})?$"

LabelKey = Annotated[str, text(_LABEL, max_length=317)]
LabelValue = Annotated[str, text(_VALUE, max_length=63)]
NodeSelector = Annotated[dict[str, LabelValue], Field(max_length=16)]
"""Labels of nodes. A key that is none is refused with the pods: the schema knows no pattern for keys."""


class TolerationOperator(StrEnum):
    """How a toleration is compared with a taint."""

    EXISTS = "Exists"
    EQUAL = "Equal"


class TaintEffect(StrEnum):
    """What a taint does to pods that do not tolerate it."""

    NO_SCHEDULE = "NoSchedule"
    PREFER_NO_SCHEDULE = "PreferNoSchedule"
    NO_EXECUTE = "NoExecute"


class Toleration(ApiModel):
    """Leave to run on nodes with a taint, as in a pod."""

    # What Kubernetes would refuse of the pods only: then nobody would tell who is meant.
    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="has(self.key) || (has(self.operator) && self.operator == 'Exists')",
            message="without key, every taint is tolerated: set operator to Exists, or name the key",
            holds=lambda one: one.key is not None or one.operator is TolerationOperator.EXISTS,
        ),
        Rule(
            cel="!has(self.value) || self.value == '' || !has(self.operator) || self.operator == 'Equal'",
            message="operator Exists looks at no value: remove value, or set operator to Equal",
            holds=lambda one: not one.value or one.operator is not TolerationOperator.EXISTS,
        ),
        Rule(
            cel="!has(self.tolerationSeconds) || (has(self.effect) && self.effect == 'NoExecute')",
            message="tolerationSeconds works with effect NoExecute only: set that, or remove tolerationSeconds",
            holds=lambda one: one.toleration_seconds is None or one.effect is TaintEffect.NO_EXECUTE,
        ),
    )

    key: LabelKey | None = None
    """The taint's key; every taint if absent."""
    operator: TolerationOperator | None = None
    """Exists, or Equal, which is also what absent means."""
    value: LabelValue | None = None
    """The taint's value."""
    effect: TaintEffect | None = None
    """The taint's effect; every effect if absent."""
    toleration_seconds: Annotated[Int, Field(ge=0)] | None = None
    """How long a pod stays on a node that gets the taint."""


Tolerations = Annotated[tuple[Toleration, ...], Field(max_length=16), ATOMIC]


class Affinity(ApiModel):
    """Which nodes and neighbours the pods look for, as in a pod; Kubernetes itself checks what is in it."""

    node_affinity: JsonObject | None = None
    """Nodes."""
    pod_affinity: JsonObject | None = None
    """Pods to be near to."""
    pod_anti_affinity: JsonObject | None = None
    """Pods to keep away from."""


class HardwareProfile(ApiModel):
    """A HardwareProfile of OpenShift AI, which fills in nodes, tolerations, and the resources that are absent."""

    name: ObjectName
    """Its name."""
    namespace: DnsLabel | None = None
    """Its namespace; that of the ModelService if absent."""


PullSecrets = Annotated[tuple[SecretReference, ...], Field(max_length=8), ListOf(("name",))]
