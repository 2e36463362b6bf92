"""Everything around the operator in one value: the controllers, 3scale, and what can be done to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from .autoscalers import HorizontalPodAutoscalers, Keda
from .buckets import ObjectBuckets
from .client import Client
from .conditions import Clock, system_clock
from .faults import Delays, Faults
from .kserve.controller import KServe
from .kserve.settings import Settings
from .minio.volumes import Volumes
from .minio.workloads import Workloads
from .runner import Backoff, Runner
from .threescale.admin_api import AdminApi
from .threescale.operator import ThreescaleOperator
from .threescale.porta import Porta
from .violations import Violations
from .zync import Zync

THREESCALE_NAMESPACE: Final = "3scale"


@dataclass(frozen=True)
class Surroundings:
    """The stand-ins, wired together; `runner` drives them."""

    runner: Runner
    porta: Porta
    admin_api: AdminApi
    kserve: KServe
    autoscalers: HorizontalPodAutoscalers
    threescale: ThreescaleOperator
    workloads: Workloads
    buckets: ObjectBuckets
    faults: Faults
    delays: Delays
    violations: Violations


def surroundings(
    client: Client,
    *,
    clock: Clock = system_clock,
    delays: Delays | None = None,
    settings: Settings | None = None,
    backoff: Backoff | None = None,
    namespace: str = THREESCALE_NAMESPACE,
) -> Surroundings:
    """Return all stand-ins on one API; 3scale lives in `namespace`, and its operator watches no other."""
    faults, delays, violations = Faults(), delays or Delays(), Violations()
    porta = Porta(clock=clock, delays=delays)
    kserve = KServe(client, violations=violations, faults=faults, delays=delays, clock=clock, settings=settings)
    threescale = ThreescaleOperator(
        client, porta, violations=violations, faults=faults, delays=delays, clock=clock, namespace=namespace
    )
    zync = Zync(client, porta, namespace=namespace, delays=delays, clock=clock)
    autoscalers, keda = HorizontalPodAutoscalers(client, clock, faults), Keda(client, faults)
    volumes = Volumes(client, faults=faults, clock=clock)
    workloads = Workloads(client, violations=violations, faults=faults, delays=delays, clock=clock)
    buckets = ObjectBuckets(client, violations=violations, faults=faults, clock=clock)
    runner = Runner(client, [kserve, autoscalers, keda, threescale, zync, volumes, workloads, buckets], backoff=backoff)
    admin_api = AdminApi(porta, faults, client, namespace)
    return Surroundings(
        runner, porta, admin_api, kserve, autoscalers, threescale, workloads, buckets, faults, delays, violations
    )
