"""LoRA adapters: arguments, volumes, and how their files come."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from maas_operator.domain.serving.inference_service import CONFIG_HASH
from tests.domain.children import SOURCE, a_service, children_of

CLAIM = {"name": "legal", "uri": "pvc://lora/adapters/legal/"}
ROOT_OF_CLAIM = {"name": "root", "uri": "pvc://lora"}
HUGGING_FACE = {"name": "medical", "uri": "hf://org/medical:v2", "rank": 33}
INSIDE = {"name": "plain", "path": "adapters/plain"}


def predictor_of(*adapters: dict[str, Any], **model: Any) -> dict[str, Any]:
    service = a_service(model={"source": SOURCE, "adapters": list(adapters)} | model)
    return dict(children_of(service)["InferenceService"]["spec"]["predictor"])


def flags_of(*adapters: dict[str, Any]) -> list[str]:
    args = predictor_of(*adapters)["model"]["args"]
    return list(args[args.index("--enable-lora") :])


def test_without_adapters_there_is_nothing_of_them() -> None:
    predictor = predictor_of()
    assert not {"volumes", "initContainers"} & predictor.keys()
    assert "volumeMounts" not in predictor["model"]
    assert not [one for one in predictor["model"]["args"] if "lora" in one]


def test_each_adapter_is_a_model_id_of_its_own() -> None:
    assert flags_of(CLAIM, HUGGING_FACE, INSIDE) == [
        "--enable-lora",
        "--max-loras=3",
        "--max-lora-rank=64",
        "--lora-modules",
        "legal=/adapters/legal",
        "medical=/adapters/medical",
        "plain=/mnt/models/adapters/plain",
    ]


@pytest.mark.parametrize(("rank", "told"), [(1, 8), (8, 8), (16, 16), (17, 32), (256, 256)])
def test_the_rank_is_the_next_that_vllm_knows(rank: int, told: int) -> None:
    assert f"--max-lora-rank={told}" in flags_of(INSIDE | {"rank": rank})


def test_many_adapters_share_the_accelerators_memory() -> None:
    flags = flags_of(*(INSIDE | {"name": f"plain{number}"} for number in range(6)))
    assert flags[1:3] == ["--max-loras=4", "--max-cpu-loras=6"]


def test_a_claim_is_mounted_for_reading() -> None:
    predictor = predictor_of(CLAIM, ROOT_OF_CLAIM)
    assert predictor["volumes"] == [
        {"name": "adapter-legal", "persistentVolumeClaim": {"claimName": "lora"}},
        {"name": "adapter-root", "persistentVolumeClaim": {"claimName": "lora"}},
    ]
    assert predictor["model"]["volumeMounts"] == [
        {"name": "adapter-legal", "mountPath": "/adapters/legal", "subPath": "adapters/legal", "readOnly": True},
        {"name": "adapter-root", "mountPath": "/adapters/root", "readOnly": True},
    ]
    assert "initContainers" not in predictor


def test_hugging_face_is_asked_by_an_init_container_of_the_servers_image() -> None:
    predictor = predictor_of(HUGGING_FACE, credentialsSecretRef={"name": "token"})
    (fetcher,) = predictor["initContainers"]
    runtime = children_of(a_service())["ServingRuntime"]["spec"]["containers"][0]
    assert fetcher["image"] == runtime["image"]
    assert fetcher["args"] == ["medical=org/medical:v2"]
    assert fetcher["securityContext"] == runtime["securityContext"]
    assert fetcher["terminationMessagePolicy"] == "FallbackToLogsOnError"
    secret = {"secretKeyRef": {"name": "token", "key": "HF_TOKEN", "optional": True}}
    assert {"name": "HF_TOKEN", "valueFrom": secret} in fetcher["env"]
    assert predictor["volumes"] == [{"name": "adapters", "emptyDir": {"sizeLimit": "16Gi"}}]
    assert predictor["model"]["volumeMounts"] == [
        {"name": "adapters", "mountPath": "/adapters/medical", "subPath": "medical", "readOnly": True}
    ]


def test_an_image_of_the_services_own_fetches_too() -> None:
    service = a_service(model={"source": SOURCE, "adapters": [HUGGING_FACE]}, serving={"image": "mine:1"})
    (fetcher,) = children_of(service)["InferenceService"]["spec"]["predictor"]["initContainers"]
    assert fetcher["image"] == "mine:1"


def test_arguments_of_the_user_come_after_those_of_the_adapters() -> None:
    service = a_service(model={"source": SOURCE, "adapters": [INSIDE]}, serving={"args": ["--seed=1"]})
    args = children_of(service)["InferenceService"]["spec"]["predictor"]["model"]["args"]
    assert args[-2:] == ["plain=/mnt/models/adapters/plain", "--seed=1"]


def test_the_server_itself_gets_no_token() -> None:
    children = children_of(
        a_service(
            model={"source": SOURCE, "adapters": [HUGGING_FACE], "credentialsSecretRef": {"name": "the-canary-token"}}
        )
    )
    assert "the-canary-token" not in str(children["InferenceService"]["spec"]["predictor"]["model"])
    assert "the-canary-token" not in str(children["ServingRuntime"])


def test_a_public_adapter_needs_no_token() -> None:
    (fetcher,) = predictor_of(HUGGING_FACE)["initContainers"]
    assert "HF_TOKEN" not in str(fetcher["env"])


def test_what_is_fetched_is_what_was_asked_for(tmp_path: Path) -> None:
    predictor = predictor_of(HUGGING_FACE, HUGGING_FACE | {"name": "newest", "uri": "hf://org/newest"})
    (fetcher,) = predictor["initContainers"]
    (tmp_path / "huggingface_hub.py").write_text(
        "def snapshot_download(repository, *, revision, local_dir): print(repository, revision, local_dir)"
    )
    _, *options = fetcher["command"]
    done = subprocess.run(
        [sys.executable, *options, *fetcher["args"]],
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == [
        "org/medical v2 /adapters/medical",
        "org/newest None /adapters/newest",
    ]


def test_another_adapter_is_another_configuration_of_the_pods() -> None:
    adapters: list[tuple[dict[str, Any], ...]] = [(), (CLAIM,), (HUGGING_FACE,), (INSIDE,), (INSIDE | {"rank": 64},)]
    assert len({predictor_of(*one)["annotations"][CONFIG_HASH] for one in adapters}) == len(adapters)
