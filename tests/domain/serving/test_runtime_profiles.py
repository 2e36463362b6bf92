"""The choice of a runtime profile, and what its version can do."""

import pytest

from maas_operator.api.model import Task
from maas_operator.api.model_platform import RuntimeProfile
from maas_operator.domain.serving.runtime_profiles import (
    BUILT_IN,
    Feature,
    UnknownRuntime,
    runtime_profile,
    supports,
    unsupported_tasks,
)
from tests.domain.children import PLATFORM, a_platform, a_service

OURS = {"name": "vllm-ours", "image": "registry.example.com/vllm:1", "version": "0.11.0"}


def name_of(choice: RuntimeProfile | UnknownRuntime) -> str:
    assert isinstance(choice, RuntimeProfile)
    return choice.name


@pytest.mark.parametrize(
    ("limits", "name"),
    [
        ({}, "vllm-cpu"),
        ({"nvidia.com/gpu": "0"}, "vllm-cpu"),
        ({"nvidia.com/gpu": "1"}, "vllm-cuda"),
        ({"amd.com/gpu": "8"}, "vllm-rocm"),
    ],
)
def test_without_a_name_the_limits_choose(limits: dict[str, str], name: str) -> None:
    assert name_of(runtime_profile(a_service(serving={"resources": {"limits": limits}}), PLATFORM)) == name


def test_a_name_wins_over_the_limits() -> None:
    serving = {"runtime": "vllm-cpu", "resources": {"limits": {"nvidia.com/gpu": "1"}}}
    assert name_of(runtime_profile(a_service(serving=serving), PLATFORM)) == "vllm-cpu"


def test_the_platform_adds_profiles() -> None:
    service = a_service(serving={"runtime": "vllm-ours"})
    assert name_of(runtime_profile(service, a_platform(runtimes=[OURS]))) == "vllm-ours"


def test_the_platform_replaces_a_built_in_profile() -> None:
    choice = runtime_profile(a_service(), a_platform(runtimes=[OURS | {"name": "vllm-cpu"}]))
    assert isinstance(choice, RuntimeProfile)
    assert choice.image == OURS["image"]


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    choice = runtime_profile(a_service(serving={"runtime": "vlm-cpu"}), a_platform(runtimes=[OURS]))
    assert isinstance(choice, UnknownRuntime)
    assert choice.message == "runtime 'vlm-cpu' is not known: choose one of vllm-cpu, vllm-cuda, vllm-ours, vllm-rocm"


@pytest.mark.parametrize(
    ("version", "expected"), [("0.7.3", False), ("0.10", False), ("0.10.0", False), ("0.10.1", True), ("1.0", True)]
)
def test_a_feature_comes_with_a_version(version: str, *, expected: bool) -> None:
    profile = RuntimeProfile(name="p", image="i", version=version)
    assert supports(profile, Feature.FORCED_USAGE) is expected


def test_old_vllm_does_not_know_the_responses_api() -> None:
    service = a_service(model={"source": {"uri": "oci://r"}, "tasks": ["Chat", "Responses"]})
    cpu, cuda, _ = BUILT_IN
    assert unsupported_tasks(service, cpu) == (Task.RESPONSES,)
    assert unsupported_tasks(service, cuda) == ()
