"""Where files are fetched from, in the words of remedies: for each thing that may be wrong with it, what to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from maas_operator.api.model_service import ModelService

from .adapters import FETCHER
from .sources import CREDENTIALS_FIELD, KEYS, scheme_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What to do when a store knows no such `keys`, gives them no `access`, has no `bucket` or nothing at the `path`.

    Also when its `certificate` is not trusted, or its `endpoint` is not reached.
    Of Hugging Face: when the `account` has not accepted a licence, or when a `repository` is not there, or private.
    """

    keys: str
    access: str
    bucket: str
    path: str
    certificate: str
    endpoint: str
    account: str
    repository: str


Origins = Mapping[str, Origin]
"""Where each init container that fetches files takes them from, by its name."""
NO_ORIGINS: Final[Origins] = {}

INITIALIZER: Final = "storage-initializer"
MODELCAR_INIT: Final = "modelcar-init"


def origins_of(service: ModelService, in_bucket: Origin | None) -> Origins:
    """Return where the files of a model and of its adapters come from; `in_bucket`: the model is in the service's."""
    uri = service.spec.model.source.uri or ""
    model = in_bucket or _origin(service, "spec.model.source.uri", scheme_of(uri))
    adapters = _origin(service, "the uri in spec.model.adapters", "hf")
    return {INITIALIZER: model, MODELCAR_INIT: model, FETCHER: adapters}


def _origin(service: ModelService, where: str, scheme: str) -> Origin:
    keys, token = (_mended(service, KEYS.get(one, KEYS["s3"])) for one in (scheme, "hf"))
    return Origin(
        keys=keys,
        access=f"let the account of the credentials list and read what {where} names; or {keys}",
        bucket=f"correct the bucket in {where}, or create it",
        path=f"correct the path in {where}, or upload the model there; an image has it in /models",
        certificate="have KServe trust the authority that signed the endpoint's certificate",
        endpoint="check the endpoint, and that pods of the namespace can reach it",
        account=f"get access to the repository on Hugging Face for the account of the token, and {token}",
        repository=f"correct the repository in {where}; for a private one, {token}",
    )


def _mended(service: ModelService, keys: tuple[str, ...]) -> str:
    """Return the order to bring credentials in order, in a Secret that is named or to be named."""
    credentials, wanted = service.spec.model.credentials_secret_ref, " and ".join(keys)
    if credentials is None:
        return f"name a Secret with {wanted} in {CREDENTIALS_FIELD}"
    return f"correct {wanted} in Secret {service.metadata.namespace}/{credentials.name} of {CREDENTIALS_FIELD}"
