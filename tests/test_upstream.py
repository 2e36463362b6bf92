"""The checkers object: a check that accepts everything proves nothing."""

from copy import deepcopy
from typing import Any

import pytest

from tests.domain.children import a_service, children_of
from tests.porta import porta_accepts, porta_accepts_backend
from tests.upstream import needs_crds, objections


def changed(kind: str, path: str, value: Any) -> dict[str, Any]:
    """Return a child with one field of its spec set; the path is dotted."""
    manifest = deepcopy(children_of(a_service())[kind])
    *parents, last = path.split("/")
    target: Any = manifest["spec"]
    for parent in parents:
        target = target[int(parent)] if isinstance(target, list) else target[parent]
    target[last] = value
    return manifest


@needs_crds
@pytest.mark.parametrize(
    ("kind", "path", "value"),
    [
        ("InferenceService", "predictor/model/nodeSelector", {"a": "b"}),
        ("InferenceService", "predictor/minReplicas", "one"),
        ("ServingRuntime", "containers/0/startupProbe/httpGet/url", "/"),
        ("Product", "metrics/hits/label", "x"),
        ("Product", "mappingRules/0/httpMethod", "FETCH"),
        ("Backend", "privateBaseURL", "ftp://x"),
        ("ProxyConfigPromote", "providerAccountRef", {"name": "x"}),
    ],
)
def test_the_real_crds_object(kind: str, path: str, value: Any) -> None:
    assert len(objections(changed(kind, path, value))) == 1


USER_KEY = "deployment/apicastHosted/authentication/userkey"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("systemName", "llama-3.1"),
        ("metrics/hits/friendlyName", "catalog"),
        ("metrics/hits/friendlyName", "Total tokens"),
        ("metrics/tokenize", {"friendlyName": "Twice", "unit": "x"}),
        ("deployment/apicastSelfManaged", {}),
        (f"{USER_KEY}/authUserKey", "Authorization"),
        (f"{USER_KEY}/gatewayResponse/errorNoMatch", "don't"),
        (f"{USER_KEY}/gatewayResponse/errorNoMatch", "x" * 256),
        ("backendUsages", {}),
        ("mappingRules/0/metricMethodRef", "nothing"),
        ("mappingRules/0/increment", 0),
        (
            "applicationPlans/standard/limits",
            [{"period": "day", "value": 1, "metricMethodRef": {"systemName": "hits"}}] * 2,
        ),
        ("policies", []),
    ],
)
def test_3scale_objects(path: str, value: Any) -> None:
    assert porta_accepts(changed("Product", path, value))


@pytest.mark.parametrize("url", ["http://model", "http://u:p@model:80", "http://localhost:80", f"http://{'m' * 64}:80"])
def test_3scale_objects_to_a_target(url: str) -> None:
    assert porta_accepts_backend(changed("Backend", "privateBaseURL", url))
