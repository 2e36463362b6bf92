"""Custom resources as a correct operator writes them, for the tests of the stand-ins."""

import base64
from typing import Any

from maas_operator.domain.kinds import (
    APPLICATION,
    APPLICATION_AUTH,
    BACKEND,
    DEVELOPER_ACCOUNT,
    DEVELOPER_USER,
    INFERENCE_SERVICE,
    PRODUCT,
    PROXY_CONFIG_PROMOTE,
    SECRET,
    SERVING_RUNTIME,
    Kind,
)
from maas_operator.domain.objects import Manifest

MODELS = "models"
GATEWAY = "3scale"
ADMIN_URL = "https://maas-admin.apps.example.com"
TOKEN = "token-of-the-tenant"
PASSWORD = "a-password-that-is-long-enough"
USER_KEY = "0123456789abcdef0123456789abcdef"
PROVIDER = {"providerAccountRef": {"name": "provider"}}


def manifest(kind: Kind, namespace: str, name: str, spec: dict[str, Any], **metadata: Any) -> Manifest:
    return {
        "apiVersion": kind.api_version,
        "kind": kind.name,
        "metadata": {"name": name, "namespace": namespace, **metadata},
        "spec": spec,
    }


def secret(name: str, namespace: str = GATEWAY, **values: str) -> Manifest:
    data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
    return {
        "apiVersion": "v1",
        "kind": SECRET.name,
        "metadata": {"name": name, "namespace": namespace},
        "data": data,
    }


def provider_secret() -> Manifest:
    return secret("provider", adminURL=ADMIN_URL, token=TOKEN)


def runtime(name: str = "llama", /, **container: Any) -> Manifest:
    spec = {
        "supportedModelFormats": [{"name": "vLLM", "autoSelect": False}],
        "multiModel": False,
        "containers": [
            {
                "name": "kserve-container",
                "image": "vllm:1",
                "args": ["--port=8080"],
                "ports": [{"containerPort": 8080, "protocol": "TCP"}],
                **container,
            }
        ],
    }
    return manifest(SERVING_RUNTIME, MODELS, name, spec)


def service(name: str = "llama", /, *, predictor: dict[str, Any] | None = None, **model: Any) -> Manifest:
    implementation = {
        "modelFormat": {"name": "vLLM"},
        "runtime": "llama",
        "storageUri": "oci://registry.example.com/llama:1",
        "args": ["--max-model-len=2000"],
        "resources": {"requests": {"cpu": "2", "memory": "6Gi"}, "limits": {"cpu": "4", "memory": "8Gi"}},
        **model,
    }
    spec = {"predictor": {"minReplicas": 1, "maxReplicas": 1, "model": implementation, **(predictor or {})}}
    annotations = {"serving.kserve.io/deploymentMode": "RawDeployment"}
    labels = {"networking.kserve.io/visibility": "cluster-local"}
    return manifest(INFERENCE_SERVICE, MODELS, name, spec, annotations=annotations, labels=labels)


HITS = {"hits": {"friendlyName": "Hits", "unit": "hit", "description": "Number of API hits"}}


def backend(name: str = "llama", /, **spec: Any) -> Manifest:
    content = {
        "name": "Llama backend",
        "systemName": name,
        "privateBaseURL": "http://llama-api.models.svc.cluster.local:8080",
        "metrics": HITS,
        **PROVIDER,
        **spec,
    }
    return manifest(BACKEND, GATEWAY, name, content)


def apicast(**configuration: Any) -> dict[str, Any]:
    return {"name": "apicast", "version": "builtin", "enabled": True, "configuration": configuration}


def rule(metric: str, pattern: str = "/v1/chat/completions$", **fields: Any) -> dict[str, Any]:
    return {"httpMethod": "POST", "pattern": pattern, "metricMethodRef": metric, "increment": 1, **fields}


def limit(metric: str = "hits", period: str = "minute", value: int = 60) -> dict[str, Any]:
    return {"period": period, "value": value, "metricMethodRef": {"systemName": metric}}


def product(name: str = "llama", /, **spec: Any) -> Manifest:
    content = {
        "name": "Llama",
        "systemName": name,
        "backendUsages": {"llama": {"path": "/"}},
        "deployment": {"apicastHosted": {"authentication": {"userkey": {"credentials": "authorization"}}}},
        "metrics": HITS,
        "methods": {"chat": {"friendlyName": "Chat completions"}},
        "mappingRules": [rule("chat")],
        "applicationPlans": {"standard": {"name": "Standard", "published": True, "limits": [limit()]}},
        "policies": [apicast()],
        **PROVIDER,
        **spec,
    }
    return manifest(PRODUCT, GATEWAY, name, content)


def promotion(name: str = "llama-1", product_name: str = "llama", *, production: bool = True) -> Manifest:
    return manifest(PROXY_CONFIG_PROMOTE, GATEWAY, name, {"productCRName": product_name, "production": production})


def account(name: str = "dev1", /, **spec: Any) -> Manifest:
    return manifest(DEVELOPER_ACCOUNT, GATEWAY, name, {"orgName": "Team A", **PROVIDER, **spec})


def user(name: str = "dev1", /, **spec: Any) -> Manifest:
    content = {
        "username": name,
        "email": f"{name}@example.com",
        "role": "admin",
        "passwordCredentialsRef": {"name": "dev1-password"},
        "developerAccountRef": {"name": "dev1"},
        **PROVIDER,
        **spec,
    }
    return manifest(DEVELOPER_USER, GATEWAY, name, content)


def application(name: str = "dev1-llama", /, **spec: Any) -> Manifest:
    content = {
        "accountCR": {"name": "dev1"},
        "productCR": {"name": "llama"},
        "applicationPlanName": "standard",
        "name": name,
        "description": "Access of dev1",
        **spec,
    }
    return manifest(APPLICATION, GATEWAY, name, content)


def application_auth(name: str = "dev1-llama-1", /, **spec: Any) -> Manifest:
    content = {
        "applicationCRName": "dev1-llama",
        "generateSecret": False,
        "authSecretRef": {"name": "dev1-llama-key"},
        **PROVIDER,
        **spec,
    }
    return manifest(APPLICATION_AUTH, GATEWAY, name, content)
