"""The Routes by which routers lead to a product's gateways: zync's, but for one annotation, which is ours.

OpenShift's router ends an answer of which it has seen nothing for 30 seconds; a model may think for longer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from math import ceil
from typing import Final

from maas_operator.api.model_service import Timeouts
from maas_operator.domain.decision import Annotation
from maas_operator.domain.labels import annotations_of, labels_of
from maas_operator.domain.objects import Children, Manifest, ref_of

ROUTE_TO: Final = "zync.3scale.net/route-to"
PRODUCTION: Final = "apicast-production"
GATEWAYS: Final = (PRODUCTION, "apicast-staging")
TIMEOUT: Final = "haproxy.router.openshift.io/timeout"
_MARGIN: Final = timedelta(seconds=5)


def host_of(routes: Iterable[Manifest], labels: Mapping[str, str]) -> str:
    """Return the first host of the Routes that carry these labels; empty if there is none."""
    hosts = [route["spec"].get("host", "") for route in routes if labels.items() <= labels_of(route).items()]
    return min(hosts, default="")


def leads_to_gateways(route: Manifest) -> bool:
    """Tell whether a Route is one of a product's, to production or staging."""
    return labels_of(route).get(ROUTE_TO) in GATEWAYS


def timeouts(routes: Sequence[Manifest], wanted: Timeouts, children: Children) -> Iterable[Annotation]:
    """Return what the Routes lack for answers as long as the gateways wait for."""
    # The gateway connects first, then reads, and its own answer is better than the router's.
    value = f"{ceil((wanted.connect + wanted.read + _MARGIN) / timedelta(seconds=1))}s"
    for route in routes:
        ref = ref_of(route)
        current = children.get(ref) or route
        is_going = "deletionTimestamp" in current["metadata"]
        if ref not in children.refused and not is_going and annotations_of(current).get(TIMEOUT) != value:
            yield Annotation(ref, current["metadata"]["uid"], TIMEOUT, value)
