"""A KServe that is too old, and models that it runs in another mode: nothing of them is touched."""

from __future__ import annotations

from typing import Any

import pytest

from maas_operator.api.reasons import ConditionType as Type
from maas_operator.domain.kinds import INFERENCE_SERVICE
from maas_operator.domain.model_platform import decide as decide_platform
from maas_operator.domain.model_service import decide
from maas_operator.domain.objects import Refusal, RefusalReason
from maas_operator.domain.serving.kserve import KServe, Release
from tests.domain.serving.test_kserve import FIELDS, a_definition
from tests.domain.worlds import (
    a_model_world,
    a_platform,
    a_platform_world,
    condition_of,
    kept,
    kinds,
    refusing,
    settle,
    told,
    with_status,
)


def test_a_platform_whose_kserve_is_too_old_is_not_ready_and_names_the_way_out() -> None:
    decision = decide_platform(a_platform_world(kserve=KServe(a_definition(*FIELDS["0.15.0"]))))
    assert told(decision, Type.READY) == ("False", "KServeTooOld")
    assert told(decision, Type.STALLED) == ("True", "KServeTooOld")
    assert "upgrade KServe or OpenShift AI" in condition_of(decision, Type.READY).message
    assert decision.status["capabilities"] == {"kserve": True, "kserveVersion": "older than 0.15.1", "threescale": True}


def test_a_model_of_a_kserve_that_is_too_old_is_left_as_it_is() -> None:
    platform = a_platform(problem="upgrade KServe", reason="KServeTooOld")
    decision = settle(decide, a_model_world(platform=platform, release=Release.TOO_OLD))
    assert told(decision, Type.PLATFORM_READY) == ("False", "KServeTooOld")
    assert told(decision, Type.MODEL_READY) == told(decision, Type.READY) == ("False", "KServeTooOld")
    assert "InferenceService" not in kinds(decision)
    assert {"InferenceService", "ServingRuntime"} <= kept(decision)


def in_mode(mode: str) -> dict[str, Any]:
    """Return an InferenceService of which KServe says how it runs it."""
    (isvc,) = (one for one in decide(a_model_world()).children if one["kind"] == INFERENCE_SERVICE.name)
    return with_status(isvc, deploymentMode=mode)


@pytest.mark.parametrize("mode", ["Serverless", "Knative", "ModelMesh"])
def test_a_model_in_another_mode_is_left_as_it_is_and_the_way_out_is_named(mode: str) -> None:
    decision = settle(decide, a_model_world(inference_service=in_mode(mode)))
    assert told(decision, Type.MODEL_READY) == ("False", "DeploymentModeFixed")
    message = condition_of(decision, Type.MODEL_READY).message
    assert f"InferenceService llm/tiny runs as {mode}" in message
    assert "delete this one" in message
    assert "InferenceService" in kept(decision)


def test_a_mode_that_kserve_has_renamed_in_an_upgrade_is_told_in_its_words() -> None:
    words = "update rejected: deploymentMode cannot be changed from 'RawDeployment' to 'Standard'"
    refusal = Refusal(RefusalReason.REJECTED, words)
    world = a_model_world(inference_service=in_mode("RawDeployment"), release=Release.V0_17)
    decision = settle(decide, world, refusing(INFERENCE_SERVICE.name, refusal))
    assert told(decision, Type.MODEL_READY) == ("False", "DeploymentModeFixed")
    assert condition_of(decision, Type.MODEL_READY).message.startswith(words)


def test_another_refusal_is_none_of_the_mode() -> None:
    refusal = Refusal(RefusalReason.REJECTED, "minReplicas cannot be less than 0")
    decision = settle(decide, a_model_world(), refusing(INFERENCE_SERVICE.name, refusal))
    assert told(decision, Type.MODEL_READY) == ("False", "Rejected")
