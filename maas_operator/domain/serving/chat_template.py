"""A chat template in a ConfigMap of the user's: never inline, since KServe would take its braces for its own."""

from __future__ import annotations

from typing import Final

from maas_operator.api.meta import ConfigMapKey
from maas_operator.api.model_service import ModelService
from maas_operator.api.reasons import Reason
from maas_operator.domain.conditions import Verdict, false
from maas_operator.domain.emitted import digest
from maas_operator.domain.kinds import CONFIG_MAP
from maas_operator.domain.objects import Manifest, Ref

from .pod import ConfigMapVolume, KeyToPath, Volume, VolumeMount

LIMIT: Final = 256 * 1024
_VOLUME: Final = "chat-template"
# Not below /mnt, which belongs to KServe.
_FOLDER: Final = "/etc/chat-template"
_FILE: Final = "template.jinja"

NO_TEMPLATE: Final = ""
"""The hash of what is not there: the model has a template of its own, or needs none."""


def config_map_ref(service: ModelService) -> Ref | None:
    """Return the ConfigMap with the template; None for a service that names none."""
    wanted = service.spec.serving.chat_template_ref
    return Ref(CONFIG_MAP, service.metadata.namespace, wanted.name) if wanted else None


def template_hash(service: ModelService, config_map: Manifest | None) -> str | Verdict:
    """Return the hash of the template, by which other content restarts the pods; or why there is none to use."""
    wanted, ref = service.spec.serving.chat_template_ref, config_map_ref(service)
    if wanted is None:
        return NO_TEMPLATE
    where = f"spec.serving.chatTemplateRef: {ref}, key {wanted.key}"
    text = ((config_map or {}).get("data") or {}).get(wanted.key)
    if text is None:
        return false(Reason.CHAT_TEMPLATE_MISSING, f"{where}, does not exist: create it, with the template as text")
    size = len(text.encode())
    if not text.strip() or size > LIMIT:
        return false(
            Reason.CHAT_TEMPLATE_INVALID,
            f"{where}, has {size} bytes: put a template of at most {LIMIT} there, that is not empty",
        )
    return digest(text)[:16]


def arguments(wanted: ConfigMapKey | None) -> tuple[str, ...]:
    """Return the argument that makes vLLM read the template."""
    return (f"--chat-template={_FOLDER}/{_FILE}",) if wanted else ()


def volumes(wanted: ConfigMapKey | None) -> tuple[Volume, ...]:
    """Return the volume with the template."""
    if wanted is None:
        return ()
    items = (KeyToPath(key=wanted.key, path=_FILE),)
    return (Volume(name=_VOLUME, config_map=ConfigMapVolume(name=wanted.name, items=items)),)


def mounts(wanted: ConfigMapKey | None) -> tuple[VolumeMount, ...]:
    """Return where the volume appears."""
    return (VolumeMount(name=_VOLUME, mount_path=_FOLDER, read_only=True),) if wanted else ()
