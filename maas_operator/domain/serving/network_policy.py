"""The NetworkPolicy that closes the way around the gateway.

The model server asks nobody for a key, so that whoever reaches its port uses it unmetered. Only the gateways and
monitoring do: not even the model's own namespace, since a ModelService brings nothing there that calls the model.
Probes come from the node, which a NetworkPolicy does not stop, and KServe's controller does not call the pods. What the
pods call is left open: the storage initializer fetches the model from anywhere.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from maas_operator.api.model_platform import ModelPlatform
from maas_operator.api.model_service import ModelService, NetworkPolicyMode
from maas_operator.domain.emitted import Emitted, manifest
from maas_operator.domain.names import MODEL_PORT, network_policy_ref
from maas_operator.domain.objects import Manifest

from .inference_service import POD_LABEL


class Requirement(Emitted):
    """A label with one of these values."""

    key: str
    operator: Literal["In"] = "In"
    values: tuple[str, ...]


class ExpressionSelector(Emitted):
    """Objects that meet all requirements."""

    match_expressions: tuple[Requirement, ...]


class LabelSelector(Emitted):
    """Objects with these labels."""

    match_labels: dict[str, str]


class Peer(Emitted):
    """Who may call."""

    namespace_selector: ExpressionSelector


class PolicyPort(Emitted):
    """What may be called."""

    port: int
    protocol: Literal["TCP"] = "TCP"


class IngressRule(Emitted):
    """These peers may call these ports."""

    from_: tuple[Peer, ...] = Field(alias="from")
    ports: tuple[PolicyPort, ...]


class NetworkPolicySpec(Emitted):
    """The spec of a NetworkPolicy for incoming calls."""

    pod_selector: LabelSelector
    policy_types: tuple[Literal["Ingress"], ...] = ("Ingress",)
    ingress: tuple[IngressRule, ...]


def network_policy(service: ModelService, platform: ModelPlatform) -> Manifest | None:
    """Build the NetworkPolicy; None when the user manages the network."""
    if service.spec.api.network_policy is NetworkPolicyMode.NONE:
        return None
    spec = NetworkPolicySpec(
        pod_selector=LabelSelector(match_labels={POD_LABEL: service.metadata.name}),
        ingress=(IngressRule(from_=(_namespaces(platform),), ports=(PolicyPort(port=MODEL_PORT),)),),
    )
    return manifest(network_policy_ref(service), spec)


def _namespaces(platform: ModelPlatform) -> Peer:
    gateways = platform.spec.gateway.namespaces or (platform.spec.threescale.namespace,)
    names = tuple(sorted({*gateways, *platform.spec.monitoring.namespaces}))
    return Peer(
        namespace_selector=ExpressionSelector(
            match_expressions=(Requirement(key="kubernetes.io/metadata.name", values=names),)
        )
    )
