"""The Product's parts."""

import json
import re
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maas_operator.api.model import Task
from maas_operator.api.model_service import Api, Cors, ModelService
from maas_operator.api.plans import Metric
from maas_operator.domain.gateway.mapping_rules import mapping_rules
from maas_operator.domain.gateway.metrics import METRICS
from maas_operator.domain.gateway.plans import application_plans, plans_of, plans_with_token_limits
from maas_operator.domain.gateway.policies import policy_chain
from maas_operator.domain.gateway.responses import GATEWAY_RESPONSE
from maas_operator.engine.packed_policy import packed_policy
from tests.domain.children import PLATFORM, a_platform, a_service, children_of, strings
from tests.strategies import origins


def open_paths(*tasks: Task) -> set[str]:
    return {f"{rule.http_method} {rule.pattern.removesuffix('$')}" for rule in mapping_rules(tasks)}


CATALOG = {"GET /v1/models", "GET /health", "GET /version"}


@pytest.mark.parametrize(
    ("task", "paths"),
    [
        (Task.CHAT, {"POST /v1/chat/completions"}),
        (Task.COMPLETIONS, {"POST /v1/completions"}),
        (Task.RESPONSES, {"POST /v1/responses"}),
        (Task.EMBEDDINGS, {"POST /v1/embeddings"}),
        (Task.TOKENIZE, {"POST /tokenize", "POST /detokenize"}),
    ],
)
def test_a_task_opens_its_paths_and_the_catalogue(task: Task, paths: set[str]) -> None:
    assert open_paths(task) == paths | CATALOG


@given(tasks=st.permutations(list(Task)))
def test_the_order_in_which_tasks_are_written_changes_no_rule(tasks: list[Task]) -> None:
    assert mapping_rules(tasks) == mapping_rules(list(Task))


def test_no_rule_opens_the_servers_inside() -> None:
    closed = ["/metrics", "/invocations", "/pause", "/v1/load_lora_adapter", "/v1/models/x", "/v1/modelsX", "/"]
    patterns = [rule.pattern for rule in mapping_rules(list(Task))]
    assert not [path for path in closed for pattern in patterns if re.match(pattern, path)]


def test_listing_models_is_not_counted_as_a_request() -> None:
    spec = children_of(a_service())["Product"]["spec"]
    listed = {rule["metricMethodRef"] for rule in spec["mappingRules"] if rule["httpMethod"] == "GET"}
    assert listed == {"catalog"}
    assert "catalog" in spec["metrics"]
    assert "catalog" not in spec["methods"]


def test_counters_are_the_same_for_every_task_since_3scale_can_not_drop_one_in_use() -> None:
    chat, embeddings = (
        children_of(a_service(model={"source": {"uri": "oci://r"}, "tasks": [task]}))["Product"]["spec"]
        for task in ("Chat", "Embeddings")
    )
    assert (chat["metrics"], chat["methods"]) == (embeddings["metrics"], embeddings["methods"])


def test_plans_come_from_the_service_then_the_platform_then_there_is_one() -> None:
    platform = a_platform(defaultPlans=[{"name": "bronze"}])
    own = a_service(plans=[{"name": "gold"}])
    assert [plan.name for plan in plans_of(own, platform)] == ["gold"]
    assert [plan.name for plan in plans_of(a_service(), platform)] == ["bronze"]
    (standard,) = plans_of(a_service(), PLATFORM)
    assert (standard.name, standard.published) == ("standard", True)


def test_a_plan_keeps_its_requests_limits() -> None:
    service = a_service(
        plans=[
            {
                "name": "trial",
                "displayName": "Trial",
                "published": False,
                "approvalRequired": True,
                "trialDays": 7,
                "limits": [{"metric": "Requests", "period": "Eternity", "value": 10}],
            }
        ]
    )
    assert application_plans(service.spec.plans)["trial"].dump() == {
        "name": "Trial",
        "published": False,
        "appsRequireApproval": True,
        "trialPeriod": 7,
        "setupFee": "0.00",
        "costMonth": "0.00",
        "limits": [{"period": "eternity", "value": 10, "metricMethodRef": {"systemName": "hits"}}],
    }


def test_a_plan_without_limits_is_published() -> None:
    plans = application_plans(a_service(plans=[{"name": "free"}]).spec.plans)
    plan = plans["free"].dump()
    assert "limits" not in plan
    assert (plan["name"], plan["published"], plan["appsRequireApproval"], plan["trialPeriod"]) == (
        "free",
        True,
        False,
        0,
    )


def test_fees_are_written_as_they_are_and_nothing_of_prices_of_tokens() -> None:
    pricing = {"setupFee": "50.00", "monthlyFee": "9.90", "perMillionTokens": {"prompt": "0.20", "completion": "0.6"}}
    plan = application_plans(a_service(plans=[{"name": "gold", "pricing": pricing}]).spec.plans)["gold"].dump()
    assert (plan["setupFee"], plan["costMonth"]) == ("50.00", "9.90")
    assert not {"0.20", "0.6"} & set(strings(plan))
    assert "pricingRules" not in plan


def test_a_plan_without_fees_says_so_since_3scale_would_keep_the_old_ones() -> None:
    plan = application_plans(a_service(plans=[{"name": "free"}]).spec.plans)["free"].dump()
    assert (plan["setupFee"], plan["costMonth"]) == ("0.00", "0.00")


def test_plans_limit_what_they_say() -> None:
    limits = [{"metric": metric, "period": "Day", "value": 10**15} for metric in Metric]
    rendered = application_plans(a_service(plans=[{"name": "tokens", "limits": limits}]).spec.plans)["tokens"].limits
    assert rendered is not None
    names = [limit.metric_method_ref.system_name for limit in rendered]
    assert names == ["hits", "prompt_tokens", "completion_tokens", "total_tokens"]
    assert set(names) <= METRICS.keys()


def test_plans_that_need_a_metering_policy_are_told_from_those_that_do_not() -> None:
    tokens = {"name": "tokens", "limits": [{"metric": "TotalTokens", "period": "Day", "value": 1}]}
    requests = {"name": "requests", "limits": [{"metric": "Requests", "period": "Day", "value": 1}]}
    plans = a_service(plans=[tokens, requests]).spec.plans
    assert plans_with_token_limits(plans) == ("tokens",)


def metered(service: ModelService) -> list[dict[str, Any]]:
    """Return the chain of a model whose tokens are counted."""
    chain: list[dict[str, Any]] = children_of(service, metering="1.0.0")["Product"]["spec"]["policies"]
    return chain


def test_tokens_are_counted_after_the_key_is_checked_and_before_it_is_hidden() -> None:
    plain = children_of(a_service())["Product"]["spec"]["policies"]
    chain = metered(a_service())
    names = [policy["name"] for policy in chain]
    assert names == ["on_failed", "upstream_connection", "apicast", "maas-llm-metering", "headers"]
    assert [policy for policy in chain if policy["name"] not in ("on_failed", "maas-llm-metering")] == plain


def test_a_gateway_that_can_not_load_the_policy_refuses_calls() -> None:
    assert metered(a_service())[0] == {
        "name": "on_failed",
        "version": "builtin",
        "configuration": {"error_status_code": 503},
        "configurationRef": {},
        "enabled": True,
    }


@given(tasks=st.lists(st.sampled_from(Task), min_size=1, unique=True))
def test_exactly_the_open_paths_that_use_up_tokens_are_metered(tasks: list[Task]) -> None:
    service = a_service(model={"source": {"uri": "oci://r"}, "tasks": tasks})
    policy = next(one for one in metered(service) if one["name"] == "maas-llm-metering")
    assert policy["version"] == "1.0.0"
    paths = {f"POST {path}" for path in policy["configuration"]["inference_paths"]}
    assert paths == {path for path in open_paths(*tasks) - CATALOG if not path.endswith("tokenize")}


def test_the_policy_takes_its_configuration_and_names_metrics_that_the_product_has() -> None:
    spec = children_of(a_service(), metering="1.0.0")["Product"]["spec"]
    configuration = next(one for one in spec["policies"] if one["name"] == "maas-llm-metering")["configuration"]
    jsonschema_rs.validate(packed_policy().schema["configuration"], configuration)
    assert set(configuration["limited_metrics"]) == set(configuration["metrics"].values()) < spec["metrics"].keys()


def test_whatever_plans_limit_the_policy_is_the_same_so_that_plans_act_without_a_promotion() -> None:
    limits = [{"metric": "TotalTokens", "period": "Day", "value": 1}]
    assert metered(a_service(plans=[{"name": "tokens", "limits": limits}])) == metered(a_service())


@pytest.mark.parametrize("text", ["maas-llm-metering", "on_failed", '"policies":[]', "apicast"])
def test_nothing_that_a_user_writes_reaches_the_counting(text: str) -> None:
    plain = metered(a_service())
    plans = [{"name": "standard", "displayName": text}]
    assert metered(a_service(displayName=text, description=text, plans=plans)) == plain


def test_what_a_plan_costs_reaches_nothing_but_the_plan() -> None:
    pricing = {"setupFee": "123456789.12", "monthlyFee": "1.00", "perMillionTokens": {"prompt": "1", "completion": "2"}}
    plain, priced = (
        children_of(a_service(plans=[{"name": "standard", **more}]))["Product"]["spec"]
        for more in ({}, {"pricing": pricing})
    )
    assert plain.pop("applicationPlans") != priced.pop("applicationPlans")
    assert plain == priced


def chain_of(**api: Any) -> dict[str, Any]:
    return {policy.name: policy.configuration for policy in policy_chain(a_service(api=api).spec.api)}


def test_the_model_does_not_see_the_key() -> None:
    chain = chain_of()
    assert list(chain).index("headers") > list(chain).index("apicast")
    assert chain["headers"] == {"request": [{"op": "delete", "header": "Authorization"}]}


def test_timeouts_are_whole_seconds_rounded_up() -> None:
    timeouts = {"connect": "1500ms", "read": "5m"}
    assert chain_of(timeouts=timeouts)["upstream_connection"] == {
        "connect_timeout": 2,
        "send_timeout": 300,
        "read_timeout": 300,
    }


def test_without_a_rate_limit_there_is_no_such_policy() -> None:
    assert "rate_limit" not in chain_of()


def test_a_rate_limit_is_the_products_own_and_knows_nothing_of_callers() -> None:
    assert chain_of(rateLimit={"requestsPerSecond": 20, "burst": 40})["rate_limit"] == {
        "leaky_bucket_limiters": [{"key": {"name": "maas-operator", "scope": "service"}, "rate": 20, "burst": 40}]
    }


def test_strangers_can_not_use_up_the_rate_limit_and_what_it_refuses_is_not_metered() -> None:
    names = [policy["name"] for policy in metered(a_service(api={"rateLimit": {"requestsPerSecond": 1, "burst": 0}}))]
    assert names.index("apicast") < names.index("rate_limit") < names.index("maas-llm-metering")


def test_without_origins_there_is_no_cors() -> None:
    assert "cors" not in chain_of()


def test_cors_stands_before_the_key_is_asked_for_and_never_allows_credentials() -> None:
    chain = chain_of(cors={"allowedOrigins": ["*", "https://app.example.com"]})
    assert list(chain).index("cors") < list(chain).index("apicast")
    assert chain["cors"] == {"allow_origin": "*", "allow_credentials": False}


@given(allowed=st.lists(origins.filter("*".__ne__), min_size=1, max_size=5, unique=True), other=origins)
def test_exactly_the_origins_of_the_list_are_allowed(allowed: list[str], other: str) -> None:
    chain = {
        policy.name: policy.configuration for policy in policy_chain(Api(cors=Cors(allowed_origins=tuple(allowed))))
    }
    pattern = str(chain["cors"]["allow_origin"])
    for origin in allowed:
        assert re.search(pattern, origin)
        assert not re.search(pattern, f"{origin}.evil.example.com")
        assert not re.search(pattern, f"https://evil.example.com/{origin}")
    assert bool(re.search(pattern, other)) is (other in allowed)


@pytest.mark.parametrize(
    ("error", "status"), [("AuthFailed", 401), ("AuthMissing", 401), ("NoMatch", 404), ("LimitsExceeded", 429)]
)
def test_errors_have_the_shape_of_openais(error: str, status: int) -> None:
    responses = GATEWAY_RESPONSE.dump()
    assert responses[f"errorStatus{error}"] == status
    assert responses[f"errorHeaders{error}"] == "application/json; charset=utf-8"
    body = json.loads(responses[f"error{error}"])
    assert body["error"].keys() == {"message", "type", "param", "code"}
    assert len(responses[f"error{error}"]) <= 255
