"""Models read, write and compare as the API server would."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from maas_operator.api.fields import format_duration, parse_duration
from maas_operator.api.meta import Child, Condition, ConditionStatus
from maas_operator.api.model_platform import Capabilities, ModelPlatform, ModelPlatformStatus
from maas_operator.api.model_service import GatewayStatus, ModelService, ModelServiceStatus
from maas_operator.api.model_subscription import Key, ModelSubscription, ModelSubscriptionStatus, SubscriptionState
from maas_operator.api.parse import InvalidObject, parse, read
from maas_operator.api.reasons import Reason
from tests.api import server
from tests.api.corpus import PLATFORM, SERVICE, SUBSCRIPTION, changed
from tests.strategies import durations, model_platforms, model_services, model_subscriptions

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
CONDITION = Condition(
    type="Ready",
    status=ConditionStatus.FALSE,
    reason=Reason.WAITING,
    message="waits for the model",
    observed_generation=3,
    last_transition_time=NOON,
)
CHILD = Child(api_version="v1", kind="Service", namespace="a", name="b", uid="c", ready=False, reason="Waiting")
STATUSES = {
    "ModelService": ModelServiceStatus(
        observed_generation=3,
        url="https://llama.example.com/v1",
        internal_url="http://llama-api.llm-hosting.svc:8080",
        model_name="llama",
        runtime="vllm-cpu",
        replicas=1,
        selector="app=llama",
        gateway=GatewayStatus(
            system_name="llama-abc123",
            product_id=1,
            staging_version=2,
            production_version=2,
            config_hash="abc",
            promoted_generation=3,
            promoted_at=NOON,
            live_after=NOON,
        ),
        children=(CHILD,),
        conditions=(CONDITION,),
    ),
    "ModelSubscription": ModelSubscriptionStatus(
        observed_generation=1,
        state=SubscriptionState.LIVE,
        secret_name="dev1-key",
        keys=(Key(application_id=5, prefix="abcd", created_at=NOON),),
        children=(CHILD,),
        conditions=(CONDITION,),
    ),
    "ModelPlatform": ModelPlatformStatus(
        observed_generation=1,
        capabilities=Capabilities(kserve=True, deployment_mode="RawDeployment", threescale=True),
        portal_url="https://portal.example.com",
        admin_url="https://admin.example.com",
        conditions=(CONDITION,),
    ),
}


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(model_services() | model_subscriptions() | model_platforms())
def test_what_the_models_write_is_accepted_by_the_server_and_read_back_equal(
    resource: ModelService | ModelSubscription | ModelPlatform,
) -> None:
    document = json.loads(json.dumps(resource.dump()))
    assert server.problems(document) == []
    assert parse(document) == resource


@pytest.mark.parametrize("document", [SERVICE, SUBSCRIPTION, PLATFORM], ids=lambda document: document["kind"])
def test_a_full_status_is_accepted_by_the_server_and_read_back_equal(document: dict[str, Any]) -> None:
    status = STATUSES[document["kind"]]
    written = {**document, "status": json.loads(json.dumps(status.dump()))}
    assert server.problems(written) == []
    assert server.unknown_fields(written) == []
    assert parse(written).status == status


def test_reading_from_the_server_drops_fields_of_a_newer_version() -> None:
    newer = changed(SERVICE, "spec.serving.disruptionBudget", {"minAvailable": 1})
    assert read(ModelService, newer) == parse(SERVICE)


def test_models_and_server_fill_in_the_same_defaults() -> None:
    for document in (
        {**SERVICE, "spec": {"model": {"source": {"uri": "oci://a/b"}}, "plans": [{"name": "free"}]}},
        {**PLATFORM, "spec": {"threescale": {"namespace": "3scale"}}},
    ):
        filled = server.SCHEMAS[document["kind"]].sanitize(document)[0]
        assert parse(filled) == parse(document)
        assert _present(filled["spec"]) == _present(parse(document).spec.dump())


def _present(value: Any) -> Any:
    """Return the value without empty containers, which mean nothing in this API."""
    if isinstance(value, dict):
        kept = {key: _present(entry) for key, entry in value.items()}
        return {key: entry for key, entry in kept.items() if entry not in ({}, [])}
    return [_present(entry) for entry in value] if isinstance(value, list) else value


def test_models_are_values_and_can_not_be_changed() -> None:
    service = parse(SERVICE)
    with pytest.raises(ValidationError, match="frozen"):
        service.metadata.name = "other"  # type: ignore[misc]


def test_an_error_lists_every_path_and_quotes_no_value() -> None:
    document = changed(SERVICE, "spec.displayName", "<hunter2>")
    document = changed(document, "spec.plans.0.limits.0.value", 0)
    with pytest.raises(InvalidObject) as caught:
        parse(document)
    assert [problem.path for problem in caught.value.problems] == ["spec.displayName", "spec.plans[0].limits[0].value"]
    assert "spec.displayName: " in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("field", "value"),
    [("apiVersion", "maas-operator.io/v1"), ("kind", "Model"), ("apiVersion", None), ("kind", None)],
)
def test_a_document_of_another_kind_or_version_is_refused(field: str, value: str | None) -> None:
    with pytest.raises(InvalidObject) as caught:
        parse({**SERVICE, field: value})
    assert [problem.path for problem in caught.value.problems] == [field]


@given(durations(timedelta(0), timedelta(days=400)))
def test_a_duration_is_read_back_equal(duration: timedelta) -> None:
    assert parse_duration(format_duration(duration)) == duration


@pytest.mark.parametrize(
    ("text", "shortest"),
    [("300s", "5m"), ("90m", "1h30m"), ("1s500ms", "1s500ms"), ("0h", "0s"), ("24h", "24h"), ("1m1m", "2m")],
)
def test_a_duration_is_written_in_its_shortest_form(text: str, shortest: str) -> None:
    assert format_duration(parse_duration(text)) == shortest


@pytest.mark.parametrize("text", ["", "5", "5 m", "-5m", "1.5h", "5m\n", "123456s", "1h1m1s1ms1ms", 5, None])
def test_what_is_no_duration_is_refused(text: Any) -> None:
    with pytest.raises(ValueError, match="want a duration"):
        parse_duration(text)


@given(st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(timezone(timedelta(hours=2)))))
def test_a_time_is_kept_in_whole_seconds_of_utc(moment: datetime) -> None:
    condition = Condition(type="Ready", status=ConditionStatus.TRUE, reason="Ready", last_transition_time=moment)
    assert condition.last_transition_time == moment.replace(microsecond=0)
    assert condition.dump()["lastTransitionTime"].endswith("Z")
    assert Condition.model_validate(condition.dump()) == condition


def test_quantities_are_kept_as_people_wrote_them_and_numbers_as_text() -> None:
    service = read(ModelService, changed(SERVICE, "spec.serving.resources.limits", {"cpu": 2, "memory": "8Gi"}))
    assert service.spec.serving.resources.limits == {"cpu": "2", "memory": "8Gi"}


def test_metadata_is_written_without_what_is_not_known() -> None:
    assert parse(PLATFORM).metadata.dump() == {"name": "default"}
