"""What KServe's webhook puts into a pod for the model's files, and what keeps such a pod from starting."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from typing import Any, Final

from maas_operator.domain.kinds import PERSISTENT_VOLUME_CLAIM, SECRET
from maas_operator.domain.objects import Manifest, Ref
from maas_operator.engine.errors import Forbidden, NotFound

from ..client import Client
from ..faults import PodFault
from .settings import CONTAINER, EndpointKey, Settings

SOURCE_URI: Final = "internal.serving.kserve.io/storage-initializer-sourceuri"
_SECRET_NAME: Final = "serving.kserve.io/storageSecretName"
_WEBHOOK: Final = 'admission webhook "inferenceservice.kserve-webhook-server.pod-mutator" denied the request: '
_DIRECTORY: Final = "/mnt/models"
_S3: Final = "serving.kserve.io/s3-"
_ENDPOINT_KEY: Final = "AWS_S3_ENDPOINT"
_ENDPOINT_URL: Final = "AWS_ENDPOINT_URL"
_OF_ANNOTATIONS: Final = {
    "region": "AWS_DEFAULT_REGION",
    "cabundle": "AWS_CA_BUNDLE",
    "cabundle-configmap": "AWS_CA_BUNDLE_CONFIGMAP",
}
_AWS: Final = {"AWS_ACCESS_KEY_ID": "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY": "AWS_SECRET_ACCESS_KEY"}
_KINDS_OF_SECRET: Final[tuple[tuple[str, Mapping[str, str]], ...]] = (
    ("AWS_SECRET_ACCESS_KEY", _AWS),
    ("gcloud-application-credentials.json", {}),
    ("AZURE_CLIENT_ID", {}),
    ("https-host", {}),
    ("HF_TOKEN", {"HF_TOKEN": "HF_TOKEN"}),
)
"""The first key that is there tells what a Secret is for, and which variables come of it."""


async def injected(client: Client, pod: Manifest, settings: Settings) -> Manifest:
    """Return a pod with its model; Forbidden in the webhook's words when its Secret is missing."""
    uri = (pod["metadata"].get("annotations") or {}).get(SOURCE_URI, "")
    scheme, _, rest = uri.partition("://")
    match scheme:
        case "pvc":
            name, _, path = rest.partition("/")
            volume = {"name": "kserve-pvc-source", "persistentVolumeClaim": {"claimName": name}}
            return _with(pod, volume, {"mountPath": _DIRECTORY, "readOnly": True, "subPath": path})
        case "oci":
            volume = {"name": "kserve-provision-location", "emptyDir": {}}
            init = {"name": "modelcar-init", "image": rest}
            return _with(pod, volume, {"mountPath": "/mnt"}, init, {"name": "modelcar", "image": rest})
        case "s3" | "hf" | "https":
            volume = {"name": "kserve-provision-location", "emptyDir": {}}
            init = {"name": "storage-initializer", "image": "kserve/storage-initializer", "args": [uri, _DIRECTORY]}
            credentials = await _credentials(client, pod, settings)
            return _with(pod, volume, {"mountPath": _DIRECTORY, "readOnly": True}, {**init, "env": credentials})
    return pod


async def unmet(client: Client, pod: Manifest) -> tuple[str, str] | None:
    """Return why the node can not start a pod, as reason and message: a claim or a key that is not there."""
    namespace, spec = pod["metadata"]["namespace"], pod["spec"]
    for volume in spec.get("volumes") or ():
        name = volume.get("persistentVolumeClaim", {}).get("claimName")
        if name and await _find(client, Ref(PERSISTENT_VOLUME_CLAIM, namespace, name)) is None:
            return "Unschedulable", f'0/3 nodes are available: persistentvolumeclaim "{name}" not found.'
    for wanted in _keys(spec):
        secret = await _find(client, Ref(SECRET, namespace, wanted["name"]))
        if secret is None:
            return "CreateContainerConfigError", f'secret "{wanted["name"]}" not found'
        if wanted["key"] not in (secret.get("data") or {}):
            where = f"{namespace}/{wanted['name']}"
            return "CreateContainerConfigError", f"couldn't find key {wanted['key']} in Secret {where}"
    return None


def misled(pod: Manifest) -> PodFault | None:
    """Return how the initializer fails if its store has an address that leads nowhere."""
    variables = [one for container in pod["spec"].get("initContainers") or () for one in container.get("env") or ()]
    urls = [one["value"] for one in variables if one["name"] == _ENDPOINT_URL]
    return PodFault.STORAGE_UNREACHABLE if any(url.count("://") > 1 for url in urls) else None


def _keys(spec: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for container in [*(spec.get("initContainers") or ()), *spec["containers"]]:
        for variable in container.get("env") or ():
            reference = (variable.get("valueFrom") or {}).get("secretKeyRef")
            if reference and not reference.get("optional"):
                yield reference


async def _credentials(client: Client, pod: Manifest, settings: Settings) -> list[dict[str, Any]]:
    name = (pod["metadata"].get("annotations") or {}).get(_SECRET_NAME)
    if not name:
        return []
    secret = await _find(client, Ref(SECRET, pod["metadata"]["namespace"], name))
    if secret is None:
        raise Forbidden(f'{_WEBHOOK}secrets "{name}" not found')
    data = secret.get("data") or {}
    variables = next((variables for key, variables in _KINDS_OF_SECRET if key in data), {})
    references = [
        {"name": variable, "valueFrom": {"secretKeyRef": {"name": name, "key": key}}}
        for variable, key in variables.items()
    ]
    address = _address(secret, settings) if variables is _AWS else {}
    return [*references, *({"name": variable, "value": value} for variable, value in address.items())]


def _address(secret: Manifest, settings: Settings) -> dict[str, str]:
    """Return what a Secret says of its store, as variables of the initializer."""
    annotations, data = secret["metadata"].get("annotations") or {}, secret.get("data") or {}
    endpoint = annotations.get(f"{_S3}endpoint", "")
    if settings.endpoint_key is not EndpointKey.IGNORED and _ENDPOINT_KEY in data:
        endpoint = base64.b64decode(data[_ENDPOINT_KEY]).decode()
    scheme = "http://" if annotations.get(f"{_S3}usehttps") == "0" else "https://"
    if settings.endpoint_key is EndpointKey.URL and "://" in endpoint:
        scheme = ""
    told = {
        variable: annotations[key] for name, variable in _OF_ANNOTATIONS.items() if (key := _S3 + name) in annotations
    }
    return {_ENDPOINT_URL: f"{scheme}{endpoint}", **told} if endpoint else told


def _with(
    pod: Manifest,
    volume: Mapping[str, Any],
    mount: Mapping[str, Any],
    init: Mapping[str, Any] | None = None,
    sidecar: Mapping[str, Any] | None = None,
) -> Manifest:
    spec = pod["spec"]
    mounted = {"name": volume["name"], **{key: value for key, value in mount.items() if value != ""}}
    containers = [
        {**one, "volumeMounts": [*one.get("volumeMounts", ()), mounted]} if one["name"] == CONTAINER else one
        for one in spec["containers"]
    ]
    more = {
        "containers": [*containers, *([sidecar] if sidecar else [])],
        "volumes": [*spec.get("volumes", ()), volume],
        "initContainers": [*spec.get("initContainers", ()), *([init] if init else [])],
    }
    return {**pod, "spec": {**spec, **{key: value for key, value in more.items() if value}}}


async def _find(client: Client, ref: Ref) -> Manifest | None:
    try:
        return await client.get(ref)
    except NotFound:
        return None
