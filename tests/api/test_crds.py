"""The CRDs are what Kubernetes calls structural, bounded in every direction, and equal to the committed files."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from maas_operator.api.crd import DEFINITIONS, Definition, crd_files, crd_manifests
from maas_operator.api.crd.structural import structural_schema

CRDS = Path(__file__).parents[2] / "crds"
Schema = dict[str, Any]

COME_AND_GO = {"spec.storage"}
"""What may be taken out and come back otherwise, although it has an immutable member: a way between two backends."""


def schema_of(manifest: Schema) -> Schema:
    schema: Schema = manifest["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return schema


def nodes(schema: Schema, path: str = "") -> Iterator[tuple[str, Schema]]:
    """Yield every node of a schema with its path."""
    yield path, schema
    for name, child in schema.get("properties", {}).items():
        yield from nodes(child, f"{path}.{name}")
    for container in ("items", "additionalProperties"):
        if container in schema:
            yield from nodes(schema[container], f"{path}[]")


def own_nodes(manifest: Schema) -> list[tuple[str, Schema]]:
    """Return the nodes below spec and status, which are ours to bound."""
    properties = schema_of(manifest)["properties"]
    return [node for part in ("spec", "status") for node in nodes(properties[part], part)]


def test_the_committed_files_are_the_generated_ones() -> None:
    committed = {path.name: path.read_text() for path in CRDS.glob("maas-operator.io_*.yaml")}
    assert committed == crd_files(), "run `make crds`"


@pytest.mark.parametrize("manifest", crd_manifests(), ids=lambda manifest: manifest["metadata"]["name"])
class TestEveryKind:
    def test_what_is_optional_can_be_taken_away_by_a_server_side_apply(self, manifest: Schema) -> None:
        stuck = [
            f"{path}.{name}"
            for path, node in own_nodes(manifest)
            for name, child in node.get("properties", {}).items()
            if name not in node.get("required", ()) and child.get("type") in ("array", "object")
            if "default" not in child and child.get("x-kubernetes-map-type") != "atomic"
        ]
        assert stuck == [], "an older server makes null of it and refuses that"

    def test_a_default_gives_way_to_what_a_server_side_apply_names(self, manifest: Schema) -> None:
        merged = [
            path
            for path, node in own_nodes(manifest)
            if node.get("default") and node["type"] == "array" and node["x-kubernetes-list-type"] != "atomic"
        ]
        assert merged == [], "the entries of the default would stay beside those of the apply"

    def test_strings_are_bounded(self, manifest: Schema) -> None:
        unbounded = [
            path
            for path, node in own_nodes(manifest)
            if node.get("type") == "string" and not node.keys() & {"maxLength", "enum", "format"}
        ]
        assert unbounded == []

    def test_lists_are_bounded_and_have_a_list_type(self, manifest: Schema) -> None:
        lists = [(path, node) for path, node in own_nodes(manifest) if node.get("type") == "array"]
        assert lists
        assert [path for path, node in lists if not {"maxItems", "x-kubernetes-list-type"} <= node.keys()] == []

    def test_keys_of_a_list_are_required_members_of_its_items(self, manifest: Schema) -> None:
        for path, node in own_nodes(manifest):
            keys = node.get("x-kubernetes-list-map-keys", [])
            assert set(keys) <= set(node.get("items", {}).get("required", keys)), path

    def test_maps_are_bounded(self, manifest: Schema) -> None:
        maps = [(path, node) for path, node in own_nodes(manifest) if "additionalProperties" in node]
        assert [path for path, node in maps if "maxProperties" not in node] == []

    def test_every_field_is_explained(self, manifest: Schema) -> None:
        fields = [
            (f"{path}.{name}", child)
            for path, node in nodes(schema_of(manifest)["properties"]["spec"], "spec")
            for name, child in node.get("properties", {}).items()
        ]
        assert [path for path, node in fields if "description" not in node] == []

    def test_every_rule_has_a_message(self, manifest: Schema) -> None:
        rules = [rule for _, node in own_nodes(manifest) for rule in node.get("x-kubernetes-validations", ())]
        assert rules
        assert [rule for rule in rules if not rule.get("message")] == []

    def test_an_object_without_required_members_is_there_by_default(self, manifest: Schema) -> None:
        # Else a transition rule below would not see the object come and go.
        for path, node in nodes(schema_of(manifest)["properties"]["spec"], "spec"):
            for name, child in node.get("properties", {}).items():
                rules = [rule for _, below in nodes(child) for rule in below.get("x-kubernetes-validations", ())]
                has_rule = any("oldSelf" in rule["rule"] for rule in rules)
                optional = name not in node.get("required", ()) and f"{path}.{name}" not in COME_AND_GO
                if has_rule and child["type"] == "object" and optional:
                    assert "default" in child, f"{path}.{name}"

    def test_ready_and_reason_are_the_first_columns(self, manifest: Schema) -> None:
        columns = manifest["spec"]["versions"][0]["additionalPrinterColumns"]
        assert [column["name"] for column in columns][:2] == ["Ready", "Reason"]

    def test_every_column_shows_a_field_of_the_schema(self, manifest: Schema) -> None:
        known = {f".{path}" for path, _ in own_nodes(manifest)} | {".metadata.creationTimestamp"}
        for column in manifest["spec"]["versions"][0]["additionalPrinterColumns"]:
            assert column["jsonPath"].partition("[?")[0] in known, column


def test_names_follow_the_design() -> None:
    names = {manifest["spec"]["names"]["kind"]: manifest["spec"]["names"] for manifest in crd_manifests()}
    assert {kind: name["shortNames"] for kind, name in names.items()} == {
        "ModelService": ["msvc"],
        "ModelSubscription": ["msub"],
        "ModelPlatform": ["mplat"],
    }
    assert {tuple(name["categories"]) for name in names.values()} == {("all", "maas")}


def test_only_the_platform_is_cluster_scoped() -> None:
    scopes = {manifest["spec"]["names"]["kind"]: manifest["spec"]["scope"] for manifest in crd_manifests()}
    assert scopes == {"ModelService": "Namespaced", "ModelSubscription": "Namespaced", "ModelPlatform": "Cluster"}


def test_kubectl_scale_sets_the_replicas_of_a_service() -> None:
    (service,) = (definition for definition in DEFINITIONS if definition.scale)
    assert service.model.__name__ == "ModelService"
    known = {f".{path}" for path, _ in own_nodes(service.as_manifest())}
    assert set((service.scale or {}).values()) <= known


def test_the_name_of_a_service_is_bounded_by_the_schema() -> None:
    manifest = next(manifest for manifest in crd_manifests() if manifest["spec"]["names"]["kind"] == "ModelService")
    metadata = schema_of(manifest)["properties"]["metadata"]
    assert metadata == {
        "type": "object",
        "properties": {"name": {"type": "string", "pattern": "^[a-z]([-a-z0-9]*[a-z0-9])?$", "maxLength": 36}},
    }


class Inner(BaseModel):
    size: int = 1
    note: str | None = None


class TestStructuralForm:
    def test_an_optional_is_its_type_and_not_required(self) -> None:
        assert structural_schema(Inner)["properties"]["note"] == {"type": "string"}
        assert "required" not in structural_schema(Inner)

    def test_an_optional_object_is_owned_as_a_whole_so_that_an_apply_can_take_it_away(self) -> None:
        class Outer(BaseModel):
            inner: Inner | None = None

        assert structural_schema(Outer)["properties"]["inner"]["x-kubernetes-map-type"] == "atomic"

    def test_a_literal_is_an_enum(self) -> None:
        class Outer(BaseModel):
            kind: Literal["x"]

        assert structural_schema(Outer)["properties"]["kind"] == {"type": "string", "enum": ["x"]}

    def test_the_default_of_an_object_leaves_members_to_their_own_defaults(self) -> None:
        class Outer(BaseModel):
            same: Inner = Inner()
            other: Inner = Inner(size=2)

        properties = structural_schema(Outer)["properties"]
        assert properties["same"]["default"] == {}
        assert properties["other"]["default"] == {"size": 2}

    def test_a_list_without_a_list_type_is_an_error(self) -> None:
        class Outer(BaseModel):
            names: tuple[str, ...]

        with pytest.raises(TypeError, match=r"Outer\.names: a list needs a list type"):
            structural_schema(Outer)

    def test_a_keyword_that_kubernetes_does_not_know_is_an_error(self) -> None:
        class Outer(BaseModel):
            size: Annotated[int, Field(gt=0)]

        with pytest.raises(TypeError, match=r"Outer\.size: exclusiveMinimum has no structural form"):
            structural_schema(Outer)

    def test_a_value_of_any_type_is_an_error(self) -> None:
        class Outer(BaseModel):
            anything: Any

        with pytest.raises(TypeError, match=r"Outer\.anything: a structural schema needs a type"):
            structural_schema(Outer)

    def test_a_union_is_an_error(self) -> None:
        class Outer(BaseModel):
            size: int | str

        with pytest.raises(TypeError, match=r"Outer\.size: a structural schema needs a type"):
            structural_schema(Outer)


def test_definitions_name_their_crd_as_kubernetes_wants_it() -> None:
    def wanted(definition: Definition) -> str:
        return f"{definition.model.__name__.lower()}s.maas-operator.io"

    assert [definition.name for definition in DEFINITIONS] == [wanted(definition) for definition in DEFINITIONS]
