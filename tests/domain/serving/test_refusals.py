"""Flags and variables that the operator owns, in every form in which vLLM would take them."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maas_operator.api.arguments import OWNED_FLAGS, owned_flag
from maas_operator.api.reasons import Reason
from maas_operator.domain.serving.refusals import refused_setting
from tests.domain.children import a_platform, a_service, children_of, profile_of

OLD = {"name": "old", "image": "registry.example.com/vllm:1", "version": "0.5.4"}


@given(flag=st.sampled_from(list(OWNED_FLAGS)), data=st.data())
def test_any_beginning_of_a_flag_is_that_flag_for_vllm(flag: str, data: st.DataObject) -> None:
    beginning = flag[: data.draw(st.integers(3, len(flag)))]
    for form in (beginning, f"{beginning}=x", f"{beginning}.y=x", f"--no-{beginning.removeprefix('--')}"):
        assert owned_flag(form) is not None


@pytest.mark.parametrize(
    "argument",
    [
        "--dtype=auto",
        "--max-num-seqs=35",
        "--gpu-memory-utilization=0.9",
        "--chat-template-content-format=string",
        "--no-enable-prefix-caching",
        "--enable-prefix-caching",
        "--config-format=hf",
        "--model-impl=auto",
        "--seed=1",
        "--trust-remote-code",
        "--compilation-config.mode=3",
    ],
)
def test_what_the_operator_does_not_set_is_free(argument: str) -> None:
    assert owned_flag(argument) is None


def test_what_the_operator_sets_is_its_own() -> None:
    adapters = [{"name": f"a{number}", "path": f"a{number}"} for number in range(6)]
    model = {"aliases": ["old"], "contextLength": 2000, "adapters": adapters}
    serving = {
        "runtime": "new",
        "resources": {"limits": {"nvidia.com/gpu": "2"}},
        "chatTemplateRef": {"name": "templates", "key": "a"},
        "toolCallParser": "hermes",
    }
    source = {"source": {"uri": "oci://registry.example.com/models/tiny:1"}}
    children = children_of(
        a_service(model=source | model, serving=serving), a_platform(runtimes=[OLD | {"name": "new", "version": "9.0"}])
    )
    (container,) = children["ServingRuntime"]["spec"]["containers"]
    arguments = [*container["args"], *children["InferenceService"]["spec"]["predictor"]["model"]["args"]]
    flags = {argument.split("=", 1)[0] for argument in arguments if argument.startswith("--")}
    assert len(flags) == 14
    assert flags - OWNED_FLAGS.keys() == set()


def test_the_page_tells_all_of_them() -> None:
    page = (Path(__file__).parents[3] / "docs" / "serving.md").read_text()
    _, _, table = page.partition("| Flag | Use |")
    table, _, _ = table.partition("\n\n")
    told = set(re.findall(r"`(--[a-z-]+[a-z])(?:…)?`", table))
    assert {flag for flag in OWNED_FLAGS if not flag.startswith("--ssl-")} <= told <= OWNED_FLAGS.keys() | {"--ssl"}


def test_a_beginning_in_the_service_is_told_with_the_field_to_use() -> None:
    service = a_service(serving={"args": ["--seed=1", "--max-model=5"]})
    refusal = refused_setting(service, profile_of(service))
    assert refusal is not None
    assert refusal.reason is Reason.ARGUMENT_REFUSED
    assert refusal.message == (
        "spec.serving.args: --max-model, which vLLM takes for --max-model-len, is the operator's:"
        " remove it and use spec.model.contextLength"
    )


def test_a_flag_in_a_profile_is_told_with_the_profile() -> None:
    platform = a_platform(runtimes=[OLD | {"name": "vllm-cpu", "version": "0.7.3", "args": ["--port=80"]}])
    service = a_service()
    refusal = refused_setting(service, profile_of(service, platform))
    assert refusal is not None
    assert refusal.message.startswith("args of runtime vllm-cpu in the ModelPlatform: --port is the operator's")


def test_a_version_without_tool_calls_is_told() -> None:
    service = a_service(serving={"runtime": "old", "toolCallParser": "hermes"})
    refusal = refused_setting(service, profile_of(service, a_platform(runtimes=[OLD])))
    assert refusal is not None
    assert refusal.reason is Reason.RUNTIME_REFUSED
    assert "spec.serving.toolCallParser: vLLM 0.5.4 of runtime old has no tool calls" in refusal.message


def test_a_version_that_nobody_knows_is_trusted_with_tool_calls() -> None:
    reference = {"kind": "ServingRuntime", "name": "theirs"}
    service = a_service(serving={"runtimeRef": reference, "toolCallParser": "hermes"})
    assert refused_setting(service, profile_of(service)) is None
