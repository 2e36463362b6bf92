"""The ActiveDoc by which 3scale gets a document, the Secret with its text, and what the 3scale-operator says."""

from __future__ import annotations

from pydantic import Field, SecretStr

from maas_operator.api.model_platform import ModelPlatform
from maas_operator.api.model_service import ModelService
from maas_operator.domain.decision import ChildState
from maas_operator.domain.emitted import Emitted, LocalReference, digest, manifest
from maas_operator.domain.kinds import SECRET
from maas_operator.domain.labels import FINALIZER
from maas_operator.domain.names import active_doc_ref, document_ref, document_system_name, system_name, title
from maas_operator.domain.objects import Manifest, Ref
from maas_operator.domain.observed import condition_of, is_fresh, status_of, true_conditions
from maas_operator.domain.people.secrets import read_secret, secret

KEY = "openapi.json"
"""The only key of the Secret: the 3scale-operator takes no second one."""


class SecretRef(Emitted):
    """A Secret; the 3scale-operator would add the namespace."""

    name: str
    namespace: str


class OpenAPIRef(Emitted):
    """Where the text is."""

    secret_ref: SecretRef


class ActiveDocSpec(Emitted):
    """The spec of an ActiveDoc, with all that the 3scale-operator would add."""

    name: str
    system_name: str
    description: str
    active_doc_open_api_ref: OpenAPIRef = Field(alias="activeDocOpenAPIRef")
    product_system_name: str
    published: bool
    # Porta's own check: what the 3scale-operator lets pass may still be wrong.
    skip_swagger_validations: bool = False
    provider_account_ref: LocalReference


def document_secret(service: ModelService, platform: ModelPlatform, text: str) -> Manifest:
    """Build the Secret with a document. There is nothing secret in it: an ActiveDoc takes no other kind."""
    return secret(document_ref(service, platform, digest(text)), {KEY: SecretStr(text)})


def active_doc(service: ModelService, platform: ModelPlatform, document: Ref) -> Manifest:
    """Build the ActiveDoc of a document, which is in this Secret.

    Our finalizer holds it until the document is deleted in 3scale: the 3scale-operator would leave it behind there.
    """
    spec = ActiveDocSpec(
        name=title(service),
        system_name=document_system_name(service),
        description=service.spec.description or title(service),
        active_doc_open_api_ref=OpenAPIRef(secret_ref=SecretRef(name=document.name, namespace=document.namespace)),
        product_system_name=system_name(service),
        published=service.spec.api.open_api.published,
        provider_account_ref=LocalReference(name=platform.spec.threescale.provider_account_secret_ref.name),
    )
    built = manifest(active_doc_ref(service, platform), spec)
    return built | {"metadata": built["metadata"] | {"finalizers": [FINALIZER]}}


def active_doc_state(active_doc: Manifest) -> ChildState:
    """Read an ActiveDoc; of Invalid, Orphan and Failed the last stands beside each of the others."""
    if not is_fresh(active_doc):
        return ChildState(ready=False, reason="Pending")
    true = true_conditions(active_doc)
    if "Ready" in true and status_of(active_doc).get("activeDocId"):
        return ChildState(ready=True)
    if "Orphan" in true:
        return ChildState(ready=False, reason="Orphan", message=true["Orphan"])
    failed = next((reason for reason in ("Invalid", "Failed") if reason in true), None)
    if failed:
        return ChildState(ready=False, failed=True, reason=failed, message=true[failed])
    return ChildState(ready=False, reason="Pending")


def secret_ref_of(active_doc: Manifest) -> Ref:
    """Return the address of the Secret of an ActiveDoc of ours."""
    reference = active_doc["spec"]["activeDocOpenAPIRef"]["secretRef"]
    return Ref(SECRET, reference["namespace"], reference["name"])


def text_of(document_secret: Manifest | None) -> str:
    """Return the document in a Secret; empty if it is not there."""
    text = read_secret(document_secret).get(KEY) if document_secret else None
    return text.get_secret_value() if text else ""


def invalid_since(active_doc: Manifest | None) -> str:
    """Return since when the 3scale-operator finds an ActiveDoc invalid; empty if it does not."""
    if active_doc is None or not is_fresh(active_doc):
        return ""
    invalid = condition_of(active_doc, "Invalid")
    return str(invalid["lastTransitionTime"]) if invalid.get("status") == "True" else ""
