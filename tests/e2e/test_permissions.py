"""The operator's permissions against what it has asked for in all end-to-end tests: nothing missing, nothing unused.

This module comes last (see conftest.py). It reads the audit log of the real API server, which tells for each request
whether it was allowed, and by which role.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from maas_operator.app.rbac import OPERATOR, rules_by_role
from maas_operator.domain.objects import Manifest
from tests.e2e.world import LEFT_OUT, World

pytestmark = pytest.mark.asyncio(loop_scope="session")

Permission = tuple[str, str, str]
"""Role, `resource.group`, verb."""

EXCUSED: dict[str, dict[str, str]] = {
    "what a server with the admission plugin OwnerReferencesPermissionEnforcement, as OpenShift's, asks for": {
        "modelplatforms/finalizers.maas-operator.io": "update",
        "modelservices/finalizers.maas-operator.io": "update",
        "modelsubscriptions/finalizers.maas-operator.io": "update",
    },
    "what is missed in the cache is looked for once more; here it is always there": {
        "namespaces": "get",
        "customresourcedefinitions.apiextensions.k8s.io": "get",
    },
    "read when another writer keeps changing it back, and in the rehearsal of a patch (tests/engine)": {
        "apimanagers.apps.3scale.net": "get",
    },
    "a runtime of somebody else, a claimed bucket and an autoscaler, which no model of the run has (tests/scenarios)": {
        "clusterservingruntimes.serving.kserve.io": "get",
        "objectbucketclaims.objectbucket.io": "create delete get patch",
        "horizontalpodautoscalers.autoscaling": "delete",
        "scaledobjects.keda.sh": "delete get",
    },
    "read where an earlier process has told an Event, on servers that let nothing of it change (tests/engine)": {
        "events.events.k8s.io": "get",
    },
    "why a volume is not made, which every volume of the run is (tests/scenarios)": {
        "storageclasses.storage.k8s.io": "get",
    },
}
"""Verbs by resource that no request of the run can show, each with its reason. Add only what can not be tested."""


def granted() -> Iterator[Permission]:
    for role, rules in rules_by_role().items():
        for rule in rules:
            for group in rule["apiGroups"]:
                for resource in rule["resources"]:
                    yield from ((role, f"{resource}.{group}".rstrip("."), verb) for verb in rule["verbs"])


def used(requests: Iterable[Manifest]) -> Iterator[Permission]:
    for one in requests:
        target, annotations = one.get("objectRef", {}), one["annotations"]
        names = [target.get("resource", ""), target.get("subresource", "")]
        resource = f"{'/'.join(filter(None, names))}.{target.get('apiGroup', '')}".rstrip(".")
        found = re.search(r'of (?:Cluster)?Role "([^"]+)"', annotations.get("authorization.k8s.io/reason", ""))
        role = found[1] if found else ""
        yield role, resource, one["verb"]
        # An apply that makes the object has been allowed to create it, too.
        if one["verb"] == "patch" and one["responseStatus"].get("code") == 201:
            yield role, resource, "create"


async def test_the_operator_does_only_what_its_roles_allow(world: World) -> None:
    refused = [one for one in world.audit() if one["annotations"]["authorization.k8s.io/decision"] != "allow"]
    assert [(one["verb"], one["requestURI"]) for one in refused] == []


async def test_the_roles_allow_only_what_the_operator_does(world: World, request: pytest.FixtureRequest) -> None:
    if reason := _is_partial(request.session):
        pytest.skip(f"only a whole run tells what is never used: {reason}")
    verbs = {resource: verbs.split() for table in EXCUSED.values() for resource, verbs in table.items()}
    excused = {one for one in granted() if one[2] in verbs.get(one[1], ())}
    seen = set(used(world.audit()))
    assert set(granted()) - seen - excused == set(), "never used: remove it from the table of kinds, or excuse it"
    assert excused & seen == set(), "used after all: no excuse is needed"


async def test_each_role_is_one_of_those_that_are_installed(world: World) -> None:
    roles = {role for role, _, _ in used(world.audit()) if role.startswith(OPERATOR)}
    assert roles <= rules_by_role().keys()


def _is_partial(session: pytest.Session) -> str:
    folder = Path(__file__).parent
    modules = {item.path for item in session.items}
    if missing := sorted(path.name for path in folder.glob("test_*.py") if path not in modules):
        return f"{', '.join(missing)} did not run"
    return "some tests were left out" if session.config.stash.get(LEFT_OUT, False) else ""
