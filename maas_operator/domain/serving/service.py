"""Our own Service in front of the model: a cluster IP and a port that are the same in each of KServe's modes."""

from __future__ import annotations

from typing import Literal

from maas_operator.api.model_service import ModelService
from maas_operator.domain.emitted import Emitted, manifest
from maas_operator.domain.names import MODEL_PORT, api_service_ref
from maas_operator.domain.objects import Manifest


class ServicePort(Emitted):
    """A port of the Service, and the one of the pods behind it."""

    name: str
    port: int
    target_port: int
    protocol: Literal["TCP"] = "TCP"


class ServiceSpec(Emitted):
    """The spec of a plain Service."""

    type: Literal["ClusterIP"] = "ClusterIP"
    selector: dict[str, str]
    ports: tuple[ServicePort, ...]


def api_service(service: ModelService) -> Manifest:
    """Build the Service `<name>-api`, which the gateway calls."""
    port = ServicePort(name="http", port=MODEL_PORT, target_port=MODEL_PORT)
    selector = {"app": f"isvc.{service.metadata.name}-predictor"}
    return manifest(api_service_ref(service), ServiceSpec(selector=selector, ports=(port,)))
