"""For each alert, what happens when it fires, and a world much like that in which it must not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

Series = Mapping[str, str]
"""Series by name and labels, with one value a minute, in promtool's notation."""

CHAT = 'kind="ModelService",namespace="llm",name="chat"'
ON_OPENSHIFT = 'kind="ModelService",namespace="maas-operator",exported_namespace="llm",name="chat"'
SUBSCRIPTION = 'kind="ModelSubscription",namespace="team",name="chat"'
PLATFORM = 'kind="ModelPlatform",name="default"'
MODEL = 'namespace="llm",model_name="chat"'
PRODUCT = 'namespace="3scale",service_id="7",service_system_name="chat-1a2b3c"'


@dataclass(frozen=True, slots=True)
class Case:
    """An alert that fires in this minute, and not in the one before; and what keeps quiet for hours."""

    alert: str
    series: Series
    fires: int
    summary: str
    quiet: Series
    labels: Mapping[str, str] = field(default_factory=dict)


def condition(type_: str, status: str, whose: str = CHAT) -> str:
    """Return the name of the series of a condition."""
    return f'maas_operator_resource_condition{{{whose},type="{type_}",status="{status}"}}'


def passes(result: str, kind: str = "ModelService") -> str:
    """Return the name of the series that counts passes."""
    return f'maas_operator_reconcile_total{{kind="{kind}",result="{result}"}}'


def waits(at_most: str) -> str:
    """Return the name of one bucket of the time that objects wait for a worker."""
    return f'maas_operator_queue_wait_seconds_bucket{{le="{at_most}"}}'


def first_token(at_most: str) -> str:
    """Return the name of one bucket of vLLM's time to the first token."""
    return f'vllm:time_to_first_token_seconds_bucket{{{MODEL},pod="a",le="{at_most}"}}'


OPERATOR = (
    Case(
        "MaasOperatorDown",
        {'maas_operator_build_info{version="0.1.0"}': "1x9 stale"},
        fires=20,
        summary="Prometheus has not reached the operator for 10 minutes",
        quiet={'maas_operator_build_info{version="0.1.0"}': "1x9 stale _x5 1x240"},
    ),
    Case(
        "MaasOperatorNotLeading",
        {'maas_operator_leader{pod="a"}': "1x9 0x60", 'maas_operator_leader{pod="b"}': "0x60"},
        fires=15,
        summary="The operator runs, but no process of it may write",
        quiet={'maas_operator_leader{pod="a"}': "1x9 0x240", 'maas_operator_leader{pod="b"}': "0x11 1x240"},
    ),
    Case(
        "MaasOperatorErrors",
        {passes("done"): "0+17x120", passes("retried"): "0+2x120", passes("crashed"): "0+1x120"},
        fires=16,
        summary="15% of the passes fail",
        quiet={passes("done"): "0+19x240", passes("retried"): "0+1x240", passes("crashed"): "0x240"},
    ),
    Case(
        "MaasOperatorNoSuccess",
        {'maas_operator_queue_longest_unsuccessful_seconds{pod="a"}': "0+60x60"},
        fires=28,
        summary="An object has had no successful pass for 28m 0s",
        quiet={'maas_operator_queue_longest_unsuccessful_seconds{pod="a"}': "0+60x23 0+60x12 0x200"},
    ),
    Case(
        "MaasOperatorPassHangs",
        {'maas_operator_queue_longest_running_seconds{pod="a"}': "0 60 121 181 241"},
        fires=3,
        summary="A pass has been running for 3m 1s, beyond its time-out",
        quiet={'maas_operator_queue_longest_running_seconds{pod="a"}': "0 60 119 0 60 119 0x200"},
    ),
    Case(
        "MaasOperatorQueueSlow",
        {waits("30"): "0+98x60", waits("60"): "0+100x60", waits("+Inf"): "0+100x60"},
        fires=11,
        summary="1 % of the due objects wait 45s or more for a worker",
        quiet={waits("30"): "0+998x240", waits("60"): "0+1000x240", waits("+Inf"): "0+1000x240"},
    ),
    Case(
        "MaasOperatorHotLoop",
        {
            passes("done"): "0+20x120",
            'maas_operator_resources{pod="a",kind="ModelService"}': "20x120",
            'maas_operator_resources{pod="b",kind="ModelService"}': "20x120",
        },
        fires=43,
        labels={"kind": "ModelService"},
        summary="20 passes a minute over objects of the kind ModelService, without end",
        quiet={passes("done"): "0+20x240", 'maas_operator_resources{pod="a",kind="ModelService"}': "100x240"},
    ),
    Case(
        "MaasOperatorDriftRepeats",
        {'maas_operator_drift_corrections_total{kind="Product",where="3scale"}': "0x9 0+1x200"},
        fires=73,
        labels={"kind": "Product", "where": "3scale"},
        summary="Somebody edits objects of the kind Product in 3scale, 30 times in 30 minutes",
        quiet={'maas_operator_drift_corrections_total{kind="Product",where="3scale"}': "0x9 0+5x6 30x200"},
    ),
    Case(
        "MaasThreescaleUnavailable",
        {
            'maas_operator_threescale_requests_total{verb="get",code="200"}': "0+8x60",
            'maas_operator_threescale_requests_total{verb="get",code="0"}': "0+1x60",
            'maas_operator_threescale_requests_total{verb="put",code="503"}': "0+1x60",
        },
        fires=16,
        summary="20% of the calls of 3scale's Admin API fail",
        quiet={
            'maas_operator_threescale_requests_total{verb="get",code="200"}': "0+8x240",
            'maas_operator_threescale_requests_total{verb="get",code="404"}': "0+8x240",
            'maas_operator_threescale_requests_total{verb="put",code="422"}': "0+8x240",
        },
    ),
    Case(
        "MaasObjectStalled",
        {condition("Stalled", "False"): "1x9 stale", condition("Stalled", "True"): "_x10 1x60"},
        fires=20,
        labels={"kind": "ModelService", "namespace": "llm", "name": "chat"},
        summary="ModelService llm/chat does not move until somebody acts",
        quiet={condition("Stalled", "False"): "1x240", condition("Ready", "True"): "1x240"},
    ),
    Case(
        "MaasObjectStalled",
        {condition("Stalled", "True", ON_OPENSHIFT): "1x60"},
        fires=10,
        labels={"kind": "ModelService", "namespace": "maas-operator", "exported_namespace": "llm", "name": "chat"},
        summary="ModelService llm/chat does not move until somebody acts",
        quiet={condition("Stalled", "False", ON_OPENSHIFT): "1x240"},
    ),
    Case(
        "MaasObjectNotReady",
        {condition("Ready", "False"): "1x90", condition("Reconciling", "True"): "1x90"},
        fires=30,
        labels={"kind": "ModelService", "namespace": "llm", "name": "chat"},
        summary="ModelService llm/chat has not been ready for 30 minutes",
        # A model whose replicas are 0 is what somebody wanted.
        quiet={condition("Ready", "False"): "1x240", condition("Reconciling", "False"): "1x240"},
    ),
    Case(
        "MaasObjectNotReady",
        {
            condition("Reconciling", "True"): "1x90",
            condition("DevelopersReady", "False"): "1x90",
            condition("ModelReady", "False"): "1x90",
        },
        fires=30,
        labels={"kind": "ModelService", "namespace": "llm", "name": "chat"},
        summary="ModelService llm/chat has not been ready for 30 minutes",
        # Neither a subscription that waits for approval, nor a model that waits for it alone.
        quiet={
            condition("Reconciling", "True"): "1x240",
            condition("DevelopersReady", "False"): "1x240",
            condition("ModelReady", "True"): "1x240",
            condition("Reconciling", "True", SUBSCRIPTION): "1x240",
            condition("Approved", "False", SUBSCRIPTION): "1x240",
            condition("KeyReady", "Unknown", SUBSCRIPTION): "1x240",
        },
    ),
    Case(
        "MaasObjectNotReady",
        {
            condition("Reconciling", "True", SUBSCRIPTION): "1x90",
            condition("Approved", "Unknown", SUBSCRIPTION): "1x90",
            condition("AccountReady", "False", SUBSCRIPTION): "1x90",
        },
        fires=30,
        labels={"kind": "ModelSubscription", "namespace": "team", "name": "chat"},
        summary="ModelSubscription team/chat has not been ready for 30 minutes",
        quiet={condition("Reconciling", "True", SUBSCRIPTION): "1x29 stale"},
    ),
    Case(
        "MaasObjectNotReady",
        {condition("Reconciling", "True", 'kind="ModelPlatform",namespace="maas-operator",name="default"'): "1x90"},
        fires=30,
        labels={"kind": "ModelPlatform", "namespace": "maas-operator", "name": "default"},
        summary="ModelPlatform default has not been ready for 30 minutes",
        quiet={condition("Reconciling", "False", PLATFORM): "1x240"},
    ),
    Case(
        "MaasTokenPolicyLost",
        {
            condition("TokenPolicyReady", "True", PLATFORM): "1x9",
            condition("TokenPolicyReady", "False", PLATFORM): "_x10 1x90",
        },
        fires=40,
        labels={"kind": "ModelPlatform", "name": "default"},
        summary="The gateways of the ModelPlatform default have lost the metering policy",
        quiet={condition("TokenPolicyReady", "False", PLATFORM): "1x240"},
    ),
)

MODELS = (
    Case(
        "MaasModelQueueLong",
        {
            f'vllm:num_requests_waiting{{{MODEL},pod="a"}}': "9x60",
            f'vllm:num_requests_waiting{{{MODEL},pod="b"}}': "8x60",
            f'vllm:num_requests_running{{{MODEL},pod="a"}}': "8x60",
            f'vllm:num_requests_running{{{MODEL},pod="b"}}': "8x60",
        },
        fires=10,
        labels={"namespace": "llm", "model_name": "chat"},
        summary="17 calls wait for the model chat in llm",
        quiet={
            f'vllm:num_requests_waiting{{{MODEL},pod="a"}}': "5x240",
            f'vllm:num_requests_running{{{MODEL},pod="a"}}': "0x240",
        },
    ),
    Case(
        "MaasModelCacheFull",
        {f'vllm:kv_cache_usage_perc{{{MODEL},pod="a",engine="0"}}': "0.97x60"},
        fires=15,
        labels={"namespace": "llm", "model_name": "chat", "pod": "a"},
        summary="The KV cache of a (model chat) is 97% full",
        quiet={f'vllm:kv_cache_usage_perc{{{MODEL},pod="a",engine="0"}}': "0.97x13 0.9x1 0.97x13 0.5x200"},
    ),
    Case(
        "MaasModelCacheFull",
        {f'vllm:gpu_cache_usage_perc{{{MODEL},pod="a"}}': "1x60"},
        fires=15,
        labels={"namespace": "llm", "model_name": "chat", "pod": "a"},
        summary="The KV cache of a (model chat) is 100% full",
        quiet={f'vllm:gpu_cache_usage_perc{{{MODEL},pod="a"}}': "0.95x240"},
    ),
    Case(
        "MaasModelSlowToAnswer",
        {first_token("7.5"): "0+90x60", first_token("10.0"): "0+90x60", first_token("+Inf"): "0+100x60"},
        fires=16,
        labels={"namespace": "llm", "model_name": "chat"},
        summary="5 % of the calls of chat in llm wait 10s or more for the first token",
        quiet={first_token("7.5"): "0+96x240", first_token("10.0"): "0+96x240", first_token("+Inf"): "0+100x240"},
    ),
    Case(
        "MaasModelSlowToAnswer",
        {
            first_token("7.5"): "0+0x9 0+90x60",
            first_token("10.0"): "0+0x9 0+100x60",
            first_token("+Inf"): "0x9 0+100x60",
        },
        fires=26,
        labels={"namespace": "llm", "model_name": "chat"},
        summary="5 % of the calls of chat in llm wait 8.75s or more for the first token",
        # Nobody calls.
        quiet={first_token("7.5"): "7x240", first_token("10.0"): "7x240", first_token("+Inf"): "9x240"},
    ),
)

GATEWAY = (
    Case(
        "MaasModelNotServing",
        {
            f'upstream_status{{{PRODUCT},pod="a",status="200"}}': "0+8x60",
            f'upstream_status{{{PRODUCT},pod="a",status="502"}}': "0+2x60",
            f'maas_llm_answers_total{{{PRODUCT},pod="a",application="0a"}}': "0+8x60",
        },
        fires=11,
        labels={"namespace": "3scale", "service_system_name": "chat-1a2b3c"},
        summary="20% of the calls of chat-1a2b3c fail in the model",
        # A product that is no model, and calls that are wrong.
        quiet={
            'upstream_status{namespace="3scale",service_system_name="shop",status="500"}': "0+9x240",
            f'upstream_status{{{PRODUCT},pod="a",status="200"}}': "0+8x240",
            f'upstream_status{{{PRODUCT},pod="a",status="400"}}': "0+8x240",
            f'maas_llm_answers_total{{{PRODUCT},pod="a",application="0a"}}': "0+8x240",
        },
    ),
    Case(
        "MaasTokensUnreported",
        {f'maas_llm_unreported_tokens_total{{{PRODUCT},metric="total_tokens",reason="queue_full"}}': "_x9 500x60"},
        fires=9,
        labels={"namespace": "3scale", "service_system_name": "chat-1a2b3c", "reason": "queue_full"},
        summary="3scale has lost 500 tokens of chat-1a2b3c in an hour: queue_full",
        quiet={f'maas_llm_answers_total{{{PRODUCT},pod="a",application="0a"}}': "0+8x240"},
    ),
    Case(
        "MaasTokensNotCounted",
        {f'maas_llm_missing_usage_total{{{PRODUCT},pod="a"}}': "0+1x120"},
        fires=16,
        labels={"namespace": "3scale", "service_system_name": "chat-1a2b3c"},
        summary="Answers of chat-1a2b3c come without usage, so that their tokens do not count",
        quiet={
            f'maas_llm_missing_usage_total{{{PRODUCT},pod="a"}}': "0+2x240",
            f'maas_llm_aborted_total{{{PRODUCT},pod="a"}}': "0+2x240",
            f'maas_llm_answers_total{{{PRODUCT},pod="a",application="0a"}}': "0+8x240",
        },
    ),
    Case(
        "MaasTokensNotCounted",
        {
            f'maas_llm_missing_usage_total{{{PRODUCT},pod="a"}}': "0+2x120",
            f'maas_llm_aborted_total{{{PRODUCT},pod="a"}}': "0+1x120",
            f'maas_llm_answers_total{{{PRODUCT},pod="a",application="0a"}}': "0+6x120",
            f'maas_llm_answers_total{{{PRODUCT},pod="a",application="0b"}}': "0+3x120",
        },
        fires=16,
        labels={"namespace": "3scale", "service_system_name": "chat-1a2b3c"},
        summary="Answers of chat-1a2b3c come without usage, so that their tokens do not count",
        quiet={
            f'maas_llm_missing_usage_total{{{PRODUCT},pod="a"}}': "0+1x240",
            f'maas_llm_answers_total{{{PRODUCT},pod="a",application="0a"}}': "0+20x240",
        },
    ),
    Case(
        "MaasTokenPolicyFails",
        {f'maas_llm_failures_total{{{PRODUCT},pod="a",phase="rewrite"}}': "1x70 2x60"},
        fires=71,
        labels={"namespace": "3scale", "phase": "rewrite"},
        summary="The metering policy fails in the phase rewrite of the gateway",
        quiet={f'maas_llm_answers_total{{{PRODUCT},pod="a",application="0a"}}': "0+8x240"},
    ),
)

CASES = (*OPERATOR, *MODELS, *GATEWAY)
