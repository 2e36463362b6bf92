"""Compute resources of one replica: the service's own values over its runtime profile's."""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache
from typing import Final

from maas_operator.api.serving import Resources, Serving

NVIDIA: Final = "nvidia.com/gpu"
AMD: Final = "amd.com/gpu"
_ACCELERATORS: Final = (NVIDIA, AMD)

_GIB: Final = 2**30
_UNITS: Final = {
    "": Decimal(1),
    "m": Decimal("0.001"),
    **{unit: Decimal(1000**power) for power, unit in enumerate("kMGTPE", start=1)},
    **{f"{unit}i": Decimal(1024**power) for power, unit in enumerate("KMGTPE", start=1)},
}


@lru_cache
def amount(quantity: str) -> Decimal:
    """Return the number behind a Kubernetes quantity."""
    number = quantity.rstrip("mkKMGTPEi")
    return Decimal(number) * _UNITS[quantity.removeprefix(number)]


def resolve(wanted: Resources, profile: Resources) -> Resources:
    """Return the wanted values, and the profile's for each name that is absent.

    A profile's value yields where the two would contradict: Kubernetes refuses a request above its limit.
    """
    requests = {
        name: min(value, wanted.limits.get(name, value), key=amount) for name, value in profile.requests.items()
    }
    limits = {name: max(value, wanted.requests.get(name, value), key=amount) for name, value in profile.limits.items()}
    # Together they may have more names than each of them.
    return Resources.model_construct(requests=requests | wanted.requests, limits=limits | wanted.limits)


def of_replica(serving: Serving, profile: Resources) -> Resources:
    """Return the resources of one replica.

    A hardware profile fills in only what is absent: of the runtime's, the accelerators alone stay then, by which the
    server is started.
    """
    if serving.hardware_profile is None:
        return resolve(serving.resources, profile)
    limits = {name: value for name, value in profile.limits.items() if name in _ACCELERATORS}
    return resolve(serving.resources, Resources(limits=limits))


def shared_memory(resources: Resources) -> str:
    """Return the size of /dev/shm, through which the processes of several accelerators talk: 1 GiB for each."""
    return f"{max(2, accelerators(resources))}Gi"


def accelerator(resources: Resources) -> str | None:
    """Return the accelerator that a replica gets; None on a CPU."""
    return next((name for name in _ACCELERATORS if amount(resources.limits.get(name, "0")) > 0), None)


def accelerators(resources: Resources) -> int:
    """Return how many accelerators a replica gets."""
    return max(int(amount(resources.limits.get(name, "0"))) for name in _ACCELERATORS)


def cpu_cache_gib(resources: Resources) -> int:
    """Return the KV cache of a CPU replica, an eighth of its memory.

    vLLM's own default is 4 GiB or a share of the node's memory, whatever the limit: the kernel then kills the server.
    """
    memory = resources.limits.get("memory") or resources.requests.get("memory", "0")
    return max(1, int(amount(memory) / 8 / _GIB))
