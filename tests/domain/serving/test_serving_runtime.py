"""The ServingRuntime."""

from typing import Any

import pytest

from tests.domain.children import PLATFORM, a_platform, a_service, children_of


def container_of(platform: Any = PLATFORM, **spec: Any) -> dict[str, Any]:
    (container,) = children_of(a_service(**spec), platform)["ServingRuntime"]["spec"]["containers"]
    return dict(container)


def env_of(container: dict[str, Any]) -> dict[str, str]:
    return {variable["name"]: variable["value"] for variable in container["env"]}


def test_kserve_never_chooses_it_for_another_model() -> None:
    spec = children_of(a_service())["ServingRuntime"]["spec"]
    assert spec["supportedModelFormats"] == [{"name": "vLLM", "autoSelect": False}]
    assert spec["multiModel"] is False


@pytest.mark.parametrize(("timeout", "tries"), [("30m", 180), ("1m", 6), ("61s", 7), ("24h", 8640)])
def test_the_startup_probe_waits_as_long_as_the_model_may_load(timeout: str, tries: int) -> None:
    probe = container_of(serving={"startupTimeout": timeout})["startupProbe"]
    assert (probe["periodSeconds"], probe["failureThreshold"]) == (10, tries)


def test_a_flag_that_the_version_lacks_is_not_used() -> None:
    assert container_of()["args"] == ["--port=8080", "--model=/mnt/models"]


def test_a_newer_version_reports_usage_in_every_stream() -> None:
    assert "--enable-force-include-usage" in container_of(serving={"runtime": "vllm-cuda"})["args"]


def test_a_random_user_without_a_home_can_run_it() -> None:
    env = env_of(container_of())
    assert (env["HOME"], env["USER"]) == ("/tmp", "vllm")
    caches = ("HF_HOME", "TRITON_CACHE_DIR", "VLLM_CACHE_ROOT", "XDG_CACHE_HOME", "XDG_CONFIG_HOME")
    places = [env[name] for name in caches]
    assert all(place.startswith("/tmp/") for place in places)
    assert len(set(places)) == len(caches)


def test_shared_memory_is_where_the_server_looks_for_it() -> None:
    assert container_of()["volumeMounts"] == [{"name": "shm", "mountPath": "/dev/shm"}]


def test_each_probe_asks_the_server_itself() -> None:
    container = container_of()
    for name in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert container[name]["httpGet"] == {"path": "/health", "port": 8080}


def test_a_cpu_cache_is_bounded_and_a_gpu_has_none() -> None:
    assert env_of(container_of(serving={"resources": {"limits": {"memory": "32Gi"}}}))["VLLM_CPU_KVCACHE_SPACE"] == "4"
    assert "VLLM_CPU_KVCACHE_SPACE" not in env_of(container_of(serving={"runtime": "vllm-cuda"}))


def test_the_platforms_environment_and_arguments_win() -> None:
    runtime = {
        "name": "vllm-cpu",
        "image": "i",
        "version": "0.7.3",
        "args": ["--dtype=bfloat16"],
        "env": [{"name": "HOME", "value": "/home/vllm"}, {"name": "VLLM_CPU_KVCACHE_SPACE", "value": "9"}],
    }
    container = container_of(a_platform(runtimes=[runtime]))
    assert container["args"][-1] == "--dtype=bfloat16"
    assert env_of(container)["HOME"] == "/home/vllm"
    assert env_of(container)["VLLM_CPU_KVCACHE_SPACE"] == "9"


def test_its_last_words_reach_the_pods_status() -> None:
    assert container_of()["terminationMessagePolicy"] == "FallbackToLogsOnError"


def test_the_dashboard_reads_which_accelerator_it_wants() -> None:
    gpu = children_of(a_service(serving={"runtime": "vllm-rocm"}))["ServingRuntime"]["metadata"]["annotations"]
    assert gpu["opendatahub.io/recommended-accelerators"] == '["amd.com/gpu"]'
    cpu = children_of(a_service())["ServingRuntime"]["metadata"]["annotations"]
    assert "opendatahub.io/recommended-accelerators" not in cpu
