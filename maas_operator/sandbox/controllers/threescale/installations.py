"""The APIManager controller, as far as its gateways and their custom policies go."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final

from maas_operator.domain.kinds import API_MANAGER, DEPLOYMENT
from maas_operator.domain.objects import Manifest, Ref, ref_of

from ..conditions import condition, write_status
from ..runner import Retry
from ..violations import Rule
from .context import Context

GATEWAYS: Final = {"stagingSpec": "apicast-staging", "productionSpec": "apicast-production"}
_FILES: Final = frozenset({"init.lua", "apicast-policy.json"})

Mounts = Mapping[str, frozenset[tuple[str, str]]]
"""The (name, version) that each gateway can load, by its Deployment's name."""


class Installations:
    """Makes the gateways' Deployments. What it finds wrong it tells to its log only, and then does nothing at all."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def reconcile(self, manifest: Manifest) -> None:
        """Bring both gateways in line with an APIManager."""
        policies = {gateway: _policies(manifest, environment) for environment, gateway in GATEWAYS.items()}
        for wanted in policies.values():
            await self._check(manifest, wanted)
        for gateway, wanted in policies.items():
            await self._roll_out(manifest, gateway, wanted)
        status = {"deployments": {"ready": list(GATEWAYS.values())}}
        await self._context.write_status(manifest, status, [condition("Available", True)])

    async def _check(self, manifest: Manifest, policies: list[dict[str, Any]]) -> None:
        twice = [key for key, times in Counter(map(_key, policies)).items() if times > 1]
        if twice:
            raise Retry(f"spec.apicast.customPolicies: duplicated {twice}")
        for policy in policies:
            name = policy["secretRef"].get("name", "")
            secret = await self._context.secret(manifest["metadata"]["namespace"], name)
            if secret is None or not (secret.get("data") or {}).keys() >= _FILES:
                raise Retry(f'secrets "{name}" not found, or it lacks one of {sorted(_FILES)}')

    async def _roll_out(self, manifest: Manifest, gateway: str, policies: list[dict[str, Any]]) -> None:
        wanted = _deployment(manifest, gateway, policies)
        found = await self._context.find(ref_of(wanted))
        if found is None:
            found = await self._context.client.create(wanted)
        elif _volumes(found) != _volumes(wanted):
            found = await self._context.client.replace({**found, "spec": wanted["spec"]})
        pods = {"replicas": 1, "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1}
        status = {"observedGeneration": found["metadata"]["generation"], **pods}
        await write_status(self._context.client, found, status)


async def check_chains(context: Context, namespace: str) -> None:
    """Write down each product of which a gateway has a configuration with a policy that it can not load."""
    mounts = await _mounts(context, namespace)
    products = [product for tenant in context.porta for product in tenant.catalogue.products.values()]
    for product in products:
        for gateway, configs in (("apicast-staging", product.staging), ("apicast-production", product.production)):
            chain = configs[-1].content["policies"] if configs else []
            for policy in chain:
                if policy["version"] != "builtin" and _key(policy) not in mounts.get(gateway, ()):
                    words = f"the chain of {product.system_name} names {policy['name']} {policy['version']}"
                    context.violations.add(Rule.POLICY_NOT_MOUNTED, Ref(DEPLOYMENT, namespace, gateway), words)


async def _mounts(context: Context, namespace: str) -> Mounts:
    installations = await context.client.list(API_MANAGER, namespace=namespace)
    return {
        gateway: frozenset(_key(policy) for one in installations for policy in _policies(one, environment))
        for environment, gateway in GATEWAYS.items()
    }


def _policies(manifest: Manifest, environment: str) -> list[dict[str, Any]]:
    apicast = manifest["spec"].get("apicast") or {}
    return list((apicast.get(environment) or {}).get("customPolicies") or [])


def _key(policy: Mapping[str, Any]) -> tuple[str, str]:
    return policy["name"], policy["version"]


def _volumes(deployment: Manifest) -> list[Any]:
    return deployment["spec"]["template"]["spec"].get("volumes") or []


def _deployment(manifest: Manifest, gateway: str, policies: Iterable[Mapping[str, Any]]) -> Manifest:
    labels = {"deployment": gateway}
    volumes = [
        {"name": f"policy-{index}", "secret": {"secretName": policy["secretRef"]["name"], "defaultMode": 420}}
        for index, policy in enumerate(policies)
    ]
    pod = {"containers": [{"name": gateway, "image": "apicast"}], **({"volumes": volumes} if volumes else {})}
    template = {"metadata": {"labels": labels}, "spec": pod}
    return {
        "apiVersion": DEPLOYMENT.api_version,
        "kind": DEPLOYMENT.name,
        "metadata": {"name": gateway, "namespace": manifest["metadata"]["namespace"]},
        "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": template},
    }
