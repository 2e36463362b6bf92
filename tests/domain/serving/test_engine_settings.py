"""What a ModelService sets of its model server: arguments, environment, chat template, tool calls, shared memory."""

from typing import Any

import pytest

from maas_operator.domain.serving.inference_service import CONFIG_HASH, config_hash
from tests.domain.children import a_service, children_of, profile_of

MODEL = {"source": {"uri": "oci://registry.example.com/models/tiny:1"}}
TEMPLATE = {"chatTemplateRef": {"name": "templates", "key": "llama.jinja"}}


def predictor_of(**serving: Any) -> dict[str, Any]:
    return dict(children_of(a_service(serving=serving))["InferenceService"]["spec"]["predictor"])


def args_of(**serving: Any) -> list[str]:
    return list(predictor_of(**serving)["model"]["args"])


def volumes_of(**serving: Any) -> list[dict[str, Any]]:
    return list(children_of(a_service(serving=serving))["ServingRuntime"]["spec"]["volumes"])


def test_aliases_follow_the_name_in_an_order_of_their_own() -> None:
    service = a_service(model=MODEL | {"aliases": ["older", "old"], "contextLength": 2000})
    args = children_of(service)["InferenceService"]["spec"]["predictor"]["model"]["args"]
    assert args == ["--served-model-name", "tiny", "old", "older", "--max-model-len=2000"]


def test_an_alias_that_is_the_services_name_is_told_once() -> None:
    service = a_service(model=MODEL | {"aliases": ["tiny"]})
    assert children_of(service)["InferenceService"]["spec"]["predictor"]["model"]["args"] == [
        "--served-model-name=tiny"
    ]


def test_tool_calls_need_two_flags() -> None:
    assert args_of(toolCallParser="hermes")[1:] == ["--enable-auto-tool-choice", "--tool-call-parser=hermes"]


def test_the_users_arguments_come_last() -> None:
    assert args_of(args=["--seed=1"], **TEMPLATE)[-2:] == [
        "--chat-template=/etc/chat-template/template.jinja",
        "--seed=1",
    ]


def test_image_and_environment_win_over_the_runtimes() -> None:
    env = [{"name": "B", "value": ""}, {"name": "A", "value": "1"}]
    model = predictor_of(image="registry.example.com/vllm:2", env=env)["model"]
    assert model["image"] == "registry.example.com/vllm:2"
    assert model["env"] == [{"name": "A", "value": "1"}, {"name": "B"}]


def test_a_chat_template_is_one_file_of_a_config_map_and_nothing_else_of_it() -> None:
    predictor = predictor_of(**TEMPLATE)
    assert predictor["volumes"] == [
        {
            "name": "chat-template",
            "configMap": {"name": "templates", "items": [{"key": "llama.jinja", "path": "template.jinja"}]},
        }
    ]
    assert predictor["model"]["volumeMounts"] == [
        {"name": "chat-template", "mountPath": "/etc/chat-template", "readOnly": True}
    ]


@pytest.mark.parametrize(("gpus", "size"), [("0", "2Gi"), ("1", "2Gi"), ("2", "2Gi"), ("4", "4Gi"), ("8", "8Gi")])
def test_shared_memory_grows_with_the_accelerators(gpus: str, size: str) -> None:
    (shm,) = volumes_of(resources={"limits": {"nvidia.com/gpu": gpus}})
    assert shm == {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": size}}


def test_a_service_that_sets_nothing_adds_nothing() -> None:
    predictor = predictor_of()
    assert predictor.keys() == {
        "annotations",
        "minReplicas",
        "maxReplicas",
        "automountServiceAccountToken",
        "enableServiceLinks",
        "terminationGracePeriodSeconds",
        "deploymentStrategy",
        "model",
    }
    assert predictor["model"].keys() == {"modelFormat", "runtime", "storageUri", "args", "resources"}


def test_the_template_is_part_of_what_the_pods_run() -> None:
    service = a_service(serving=TEMPLATE)

    def told(template_hash: str) -> str:
        return config_hash(service, profile_of(service), template_hash=template_hash)

    assert told("one") == told("one")
    assert told("one") != told("other")


@pytest.mark.parametrize(
    "change",
    [
        {"image": "registry.example.com/vllm:2"},
        {"args": ["--seed=1"]},
        {"env": [{"name": "A", "value": "1"}]},
        {"nodeSelector": {"a": "b"}},
        {"tolerations": [{"operator": "Exists"}]},
        {"affinity": {"nodeAffinity": {"a": 1}}},
        {"imagePullSecrets": [{"name": "pull"}]},
        {"serviceAccountName": "models"},
        {"hardwareProfile": {"name": "large"}},
        {"toolCallParser": "hermes"},
        TEMPLATE,
        {"runtimeRef": {"kind": "ServingRuntime", "name": "theirs"}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_each_setting_changes_what_the_pods_run(change: dict[str, Any]) -> None:
    assert predictor_of(**change)["annotations"][CONFIG_HASH] != predictor_of()["annotations"][CONFIG_HASH]
