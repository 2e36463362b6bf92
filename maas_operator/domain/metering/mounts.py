"""Where an APIManager mounts the metering policy, and how to change that without touching other policies.

Its lists of policies are atomic: who writes one, writes all of it. So a change is a patch of the version that was read.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

from maas_operator.domain.decision import Patch
from maas_operator.domain.objects import Manifest, ref_of
from maas_operator.domain.observed import status_of

from .package import NAME, object_name

ENVIRONMENTS: Final = ("stagingSpec", "productionSpec")
DEPLOYMENTS: Final = ("apicast-staging", "apicast-production")
"""The gateways that the 3scale-operator makes of them."""

Entry = Mapping[str, Any]


def entry(version: str) -> Entry:
    """Return the entry that mounts a version."""
    return {"name": NAME, "version": version, "secretRef": {"name": object_name(version)}}


def line(version: str) -> str:
    """Return the entry as a line of YAML; a version without quotes could be a number."""
    return f'- {{name: {NAME}, version: "{version}", secretRef: {{name: {object_name(version)}}}}}'


def entries(installation: Manifest, environment: str) -> tuple[Entry, ...]:
    """Return the policies that one of the gateways mounts."""
    apicast = installation["spec"].get("apicast") or {}
    return tuple((apicast.get(environment) or {}).get("customPolicies") or ())


def has(installation: Manifest, environment: str, name: str, version: str) -> bool:
    """Tell whether one of the gateways mounts a policy, whoever made it."""
    return (name, version) in {(one["name"], one["version"]) for one in entries(installation, environment)}


def mounted_versions(installation: Manifest | None) -> frozenset[str]:
    """Return the versions of which an APIManager mounts our Secret in any gateway."""
    if installation is None:
        return frozenset()
    return frozenset().union(*(_versions(installation, environment) for environment in ENVIRONMENTS))


def environments_without(installation: Manifest, version: str) -> tuple[str, ...]:
    """Return the gateways that do not mount a version from our Secret."""
    return tuple(env for env in ENVIRONMENTS if version not in _versions(installation, env))


def rival_secret(installation: Manifest, version: str) -> str | None:
    """Return the Secret of somebody else from which an APIManager mounts this version; a second entry is refused."""
    found = (one for env in ENVIRONMENTS for one in entries(installation, env))
    rivals = [one for one in found if (one["name"], one["version"]) == (NAME, version) and not _is_ours(one)]
    return str(_secret_of(rivals[0])) if rivals else None


def is_rolled_out(deployment: Manifest, version: str) -> bool:
    """Tell whether every pod of a gateway mounts a version."""
    volumes = deployment["spec"]["template"]["spec"].get("volumes") or ()
    status = status_of(deployment)
    mounts = any((volume.get("secret") or {}).get("secretName") == object_name(version) for volume in volumes)
    fresh = status.get("observedGeneration", 0) >= deployment["metadata"]["generation"]
    return mounts and fresh and status.get("updatedReplicas", 0) == status.get("replicas", 0)


def patch(installation: Manifest, *, add: str | None, drop: Collection[str]) -> Patch | None:
    """Return the change that mounts a version and unmounts others of ours; None if there is nothing to change."""
    before = {environment: entries(installation, environment) for environment in ENVIRONMENTS}
    after = {environment: _changed(present, add, drop) for environment, present in before.items()}
    changed = {
        environment: after[environment] for environment in ENVIRONMENTS if after[environment] != before[environment]
    }
    if not changed:
        return None
    operations = tuple(_operations(installation["spec"].get("apicast"), changed))
    return Patch(ref_of(installation), installation["metadata"]["resourceVersion"], operations)


def _changed(present: tuple[Entry, ...], add: str | None, drop: Collection[str]) -> tuple[Entry, ...]:
    staying = tuple(one for one in present if not (_is_ours(one) and one["version"] in drop))
    if add is None or any((one["name"], one["version"]) == (NAME, add) for one in present):
        return staying
    return (*staying, entry(add))


def _operations(apicast: Manifest | None, changed: Mapping[str, Collection[Entry]]) -> Iterable[Manifest]:
    if apicast is None:
        yield {"op": "add", "path": "/spec/apicast", "value": {}}
    for environment, policies in changed.items():
        path = f"/spec/apicast/{environment}"
        if (apicast or {}).get(environment) is None:
            yield {"op": "add", "path": path, "value": {}}
        yield {"op": "add", "path": f"{path}/customPolicies", "value": list(policies)}


def _versions(installation: Manifest, environment: str) -> frozenset[str]:
    return frozenset(one["version"] for one in entries(installation, environment) if _is_ours(one))


def _is_ours(one: Entry) -> bool:
    return bool(one["name"] == NAME and _secret_of(one) == object_name(one["version"]))


def _secret_of(one: Entry) -> str | None:
    return (one.get("secretRef") or {}).get("name")
