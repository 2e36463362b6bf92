"""The CustomResourceDefinitions of the three kinds."""

from dataclasses import dataclass
from typing import Any, Final

import yaml

from maas_operator.api.base import GROUP, VERSION
from maas_operator.api.crd.structural import Schema, structural_schema
from maas_operator.api.meta import Resource
from maas_operator.api.model_platform import ModelPlatform
from maas_operator.api.model_service import ModelService
from maas_operator.api.model_subscription import ModelSubscription


@dataclass(frozen=True, slots=True)
class Column:
    """A column of `kubectl get`; a wide one shows with `-o wide` only."""

    name: str
    path: str
    type: str = "string"
    wide: bool = False

    def as_manifest(self) -> dict[str, Any]:
        """Return the entry for `additionalPrinterColumns`."""
        column = {"name": self.name, "type": self.type, "jsonPath": self.path}
        return column | {"priority": 1} if self.wide else column


@dataclass(frozen=True, slots=True)
class Definition:
    """What a CRD says besides its schema."""

    model: type[Resource]
    plural: str
    short_name: str
    scope: str
    columns: tuple[Column, ...]
    scale: dict[str, str] | None = None

    @property
    def name(self) -> str:
        """Return the name of the CRD."""
        return f"{self.plural}.{GROUP}"

    def as_manifest(self) -> dict[str, Any]:
        """Return the CustomResourceDefinition."""
        kind = self.model.__name__
        names = {
            "kind": kind,
            "listKind": f"{kind}List",
            "plural": self.plural,
            "singular": kind.lower(),
            "shortNames": [self.short_name],
            "categories": ["all", "maas"],
        }
        return {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": self.name},
            "spec": {"group": GROUP, "names": names, "scope": self.scope, "versions": [self._version()]},
        }

    def _version(self) -> dict[str, Any]:
        return {
            "name": VERSION,
            "served": True,
            "storage": True,
            "schema": {"openAPIV3Schema": _object_schema(self.model)},
            "subresources": {"status": {}} | ({"scale": self.scale} if self.scale else {}),
            "additionalPrinterColumns": [column.as_manifest() for column in self.columns],
        }


def _object_schema(model: type[Resource]) -> Schema:
    schema = structural_schema(model)
    # The server sets and checks apiVersion and kind itself, and status is the operator's to begin.
    schema["properties"] |= {"apiVersion": {"type": "string"}, "kind": {"type": "string"}}
    del schema["properties"]["status"]["default"]
    return schema | {"required": ["spec"]}


def _condition(condition: str, member: str) -> str:
    return f'.status.conditions[?(@.type=="{condition}")].{member}'


_READY = Column("Ready", _condition("Ready", "status"))
_REASON = Column("Reason", _condition("Ready", "reason"))
_AGE = Column("Age", ".metadata.creationTimestamp", "date")

DEFINITIONS: Final = (
    Definition(
        model=ModelService,
        plural="modelservices",
        short_name="msvc",
        scope="Namespaced",
        columns=(
            _READY,
            _REASON,
            Column("Model", ".status.modelName"),
            Column("Replicas", ".status.replicas", "integer"),
            Column("URL", ".status.url"),
            _AGE,
            Column("Live", _condition("Live", "status"), wide=True),
            Column("Runtime", ".status.runtime", wide=True),
            Column("Product", ".status.gateway.systemName", wide=True),
        ),
        scale={
            "specReplicasPath": ".spec.serving.replicas",
            "statusReplicasPath": ".status.replicas",
            "labelSelectorPath": ".status.selector",
        },
    ),
    Definition(
        model=ModelSubscription,
        plural="modelsubscriptions",
        short_name="msub",
        scope="Namespaced",
        columns=(
            _READY,
            _REASON,
            Column("Model", ".spec.modelRef.name"),
            Column("Plan", ".spec.plan"),
            Column("State", ".status.state"),
            _AGE,
            Column("Account", ".spec.account", wide=True),
            Column("Secret", ".status.secretName", wide=True),
        ),
    ),
    Definition(
        model=ModelPlatform,
        plural="modelplatforms",
        short_name="mplat",
        scope="Cluster",
        columns=(
            _READY,
            _REASON,
            Column("3scale", ".spec.threescale.namespace"),
            _AGE,
            Column("Portal", ".status.portalURL", wide=True),
            Column("Admin", ".status.adminURL", wide=True),
        ),
    ),
)


def crd_manifests() -> list[dict[str, Any]]:
    """Return the CustomResourceDefinitions of our kinds."""
    return [definition.as_manifest() for definition in DEFINITIONS]


def crd_files() -> dict[str, str]:
    """Return the text of each file in `crds/` by its name."""
    return {
        f"{GROUP}_{definition.plural}.yaml": yaml.safe_dump(definition.as_manifest(), sort_keys=False, width=120)
        for definition in DEFINITIONS
    }
