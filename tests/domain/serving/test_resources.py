"""A replica's compute resources."""

from decimal import Decimal

import pytest
from hypothesis import given

from maas_operator.api.serving import Resources
from maas_operator.domain.serving.resources import accelerator, accelerators, amount, cpu_cache_gib, resolve
from tests.strategies import resources


@pytest.mark.parametrize(
    ("quantity", "number"),
    [
        ("2", "2"),
        ("500m", "0.5"),
        ("1.5", "1.5"),
        ("1k", "1000"),
        ("8Gi", "8589934592"),
        ("2M", "2000000"),
        ("1Ei", "1152921504606846976"),
    ],
)
def test_a_quantity_is_a_number(quantity: str, number: str) -> None:
    assert amount(quantity) == Decimal(number)


@given(wanted=resources, profile=resources)
def test_what_the_service_says_stands(wanted: Resources, profile: Resources) -> None:
    resolved = resolve(wanted, profile)
    assert resolved.requests.items() >= wanted.requests.items()
    assert resolved.limits.items() >= wanted.limits.items()
    assert resolved.requests.keys() == wanted.requests.keys() | profile.requests.keys()
    assert resolved.limits.keys() == wanted.limits.keys() | profile.limits.keys()


@given(wanted=resources, profile=resources)
def test_a_profile_never_puts_a_request_above_a_limit(wanted: Resources, profile: Resources) -> None:
    resolved = resolve(wanted, profile)
    for name in resolved.requests.keys() & resolved.limits.keys():
        if name in wanted.requests.keys() ^ wanted.limits.keys():
            assert amount(resolved.requests[name]) <= amount(resolved.limits[name])


@pytest.mark.parametrize(
    ("limits", "device", "count"),
    [
        ({}, None, 0),
        ({"cpu": "4"}, None, 0),
        ({"nvidia.com/gpu": "0"}, None, 0),
        ({"nvidia.com/gpu": "4"}, "nvidia.com/gpu", 4),
        ({"amd.com/gpu": "2"}, "amd.com/gpu", 2),
    ],
)
def test_limits_name_the_accelerator(limits: dict[str, str], device: str | None, count: int) -> None:
    assert accelerator(Resources(limits=limits)) == device
    assert accelerators(Resources(limits=limits)) == count


@pytest.mark.parametrize(("memory", "gib"), [("8Gi", 1), ("64Gi", 8), ("2Gi", 1), ("12Gi", 1)])
def test_a_cpu_replica_keeps_an_eighth_of_its_memory_for_the_cache(memory: str, gib: int) -> None:
    assert cpu_cache_gib(Resources(limits={"memory": memory})) == gib


def test_without_a_limit_the_request_counts_and_without_both_the_cache_is_small() -> None:
    assert cpu_cache_gib(Resources(requests={"memory": "32Gi"})) == 4
    assert cpu_cache_gib(Resources()) == 1
