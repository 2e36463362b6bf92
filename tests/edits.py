"""Another value for every field of a ModelService, for the walks that edit each and put it back."""

from __future__ import annotations

from typing import Any

EDITS: dict[str, Any] = {
    "displayName": "Another name",
    "description": "Another description",
    "model.name": "another-id",
    "model.aliases": ["an-older-id", "the-oldest-id"],
    "model.tasks": ["Chat", "Embeddings"],
    "model.source.uri": "oci://registry.example.com/models/other:2",
    "model.contextLength": 1000,
    "serving.runtime": "vllm-rocm",
    "serving.image": "registry.example.com/vllm:2",
    "serving.args": ["--seed=1"],
    "serving.nodeSelector": {"pool": "models"},
    "serving.affinity.nodeAffinity": {
        "requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [{"matchExpressions": [{"key": "zone", "operator": "Exists"}]}]
        }
    },
    "serving.affinity.podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": "zone"}]},
    "serving.affinity.podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": "host"}]},
    "serving.hardwareProfile.name": "large",
    "serving.hardwareProfile.namespace": "profiles",
    "serving.serviceAccountName": "models",
    "serving.toolCallParser": "hermes",
    "serving.resources.requests": {"cpu": "1", "memory": "5Gi"},
    "serving.resources.limits": {"cpu": "3", "memory": "7Gi"},
    "serving.startupTimeout": "45m",
    "serving.replicas": 2,
    "serving.autoscaling.minReplicas": 2,
    "serving.autoscaling.maxReplicas": 3,
    "serving.autoscaling.metric": "Memory",
    "serving.autoscaling.target": 60,
    "serving.rolloutStrategy": "Recreate",
    "api.timeouts.connect": "3s",
    "api.timeouts.read": "120s",
    "api.cors.allowedOrigins": ["https://app.example.com"],
    "api.openAPI.mode": "None",
    "api.openAPI.published": False,
    "api.rateLimit.requestsPerSecond": 20,
    "api.rateLimit.burst": 40,
    "api.promotion.mode": "Manual",
    "api.promotion.approved": "0123456789abcdef",
    "api.networkPolicy": "None",
    "plans.name": "basic",
    "plans.displayName": "Basic",
    "plans.published": False,
    "plans.approvalRequired": True,
    "plans.trialDays": 14,
    "plans.limits.metric": "TotalTokens",
    "plans.limits.period": "Hour",
    "plans.limits.value": 61,
    "plans.pricing.setupFee": "50.00",
    "plans.pricing.monthlyFee": "9.90",
    "plans.pricing.perMillionTokens.prompt": "0.20",
    "plans.pricing.perMillionTokens.completion": "0.60",
    "developers.email": "other@example.com",
    "developers.plan": "premium",
    "managementPolicy": "Paused",
}
"""Another valid value for each field of the schema that can be edited without replacing what it stands for."""

OTHERS = {
    "platformRef.name",
    "developers.name",
    "api.openAPI.configMapRef.name",
    "api.openAPI.configMapRef.key",
    "model.source.bucketPath",
    "storage.backend",
    "storage.quota",
    "storage.deletionPolicy",
    "storage.existing.endpoint",
    "storage.existing.region",
    "storage.existing.bucket",
    "storage.existing.credentialsSecretRef.name",
    "storage.existing.caConfigMapRef.name",
    "storage.existing.caConfigMapRef.key",
    "model.credentialsSecretRef.name",
    "model.adapters.name",
    "model.adapters.uri",
    "model.adapters.path",
    "model.adapters.rank",
    "serving.runtimeRef.kind",
    "serving.runtimeRef.name",
    "serving.chatTemplateRef.name",
    "serving.chatTemplateRef.key",
    "serving.env.name",
    "serving.env.value",
    "serving.imagePullSecrets.name",
    "serving.tolerations.key",
    "serving.tolerations.operator",
    "serving.tolerations.value",
    "serving.tolerations.effect",
    "serving.tolerations.tolerationSeconds",
}
"""Immutable, the name of a developer, who is somebody else then, what needs an object beside it, and lists of which the
sample has no item: `test_a_developer_who_is_renamed...`, `test_a_users_own_document...`, `test_runtimes.py`,
`test_another_source_with_credentials_and_adapters...`, `test_storage.py`."""

TOGETHER = {
    "serving.hardwareProfile.namespace": ("serving.hardwareProfile.name", "large"),
    "plans.name": ("developers.plan", "basic"),
    "serving.autoscaling.minReplicas": (
        "serving.autoscaling",
        {"minReplicas": 2, "maxReplicas": 3, "metric": "CPU"},
    ),
    "serving.autoscaling.maxReplicas": ("serving.autoscaling.metric", "CPU"),
    "serving.autoscaling.metric": ("serving.autoscaling.maxReplicas", 3),
    "serving.autoscaling.target": ("serving.autoscaling", {"maxReplicas": 3, "metric": "CPU", "target": 60}),
    "api.rateLimit.requestsPerSecond": ("api.rateLimit.burst", 0),
    "api.rateLimit.burst": ("api.rateLimit.requestsPerSecond", 5),
    "plans.pricing.perMillionTokens.prompt": ("plans.pricing.perMillionTokens.completion", "0"),
    "plans.pricing.perMillionTokens.completion": ("plans.pricing.perMillionTokens.prompt", "0.2"),
}
"""What must change in the same edit."""

NOT_READY = {"plans.limits.metric", "managementPolicy"}
"""While these have their other value, the service is not Ready: no policy counts tokens, nothing is looked at."""

PREMIUM = {"name": "premium", "displayName": "Premium"}
"""A plan that developers can move to."""


def edited(spec: dict[str, Any], field: str, value: Any) -> dict[str, Any]:
    """Return a spec with one field set; in a list, that of its first item."""
    name, _, rest = field.partition(".")
    if not rest:
        return {**spec, name: value}
    child = spec.get(name, {})
    if isinstance(child, list):
        return {**spec, name: [edited(child[0], rest, value), *child[1:]]}
    return {**spec, name: edited(child, rest, value)}
