"""The Product: the model's API as consumers and gateways see it."""

from __future__ import annotations

from typing import Literal

from maas_operator.api.model_platform import ModelPlatform, Position
from maas_operator.api.model_service import ModelService
from maas_operator.domain.emitted import Emitted, LocalReference, manifest
from maas_operator.domain.names import product_ref, system_name, title
from maas_operator.domain.objects import Manifest
from maas_operator.domain.policies.platform import PlatformPolicies

from .mapping_rules import MappingRule, mapping_rules
from .metrics import METHODS, METRICS, MethodSpec, MetricSpec
from .plans import ApplicationPlan, application_plans, plans_of
from .policies import Policy, metering_policy, policy_chain
from .responses import GATEWAY_RESPONSE, GatewayResponse


class UserKey(Emitted):
    """A key as in `Authorization: Bearer`. It has no name: 3scale would then ignore the keys that we push."""

    credentials: Literal["authorization"] = "authorization"
    gateway_response: GatewayResponse = GATEWAY_RESPONSE


class Authentication(Emitted):
    """How consumers prove who they are."""

    userkey: UserKey = UserKey()


class ApicastHosted(Emitted):
    """The gateways are 3scale's own."""

    authentication: Authentication = Authentication()


class Deployment(Emitted):
    """Where the gateways are."""

    apicast_hosted: ApicastHosted = ApicastHosted()


class BackendUsage(Emitted):
    """The path under which a Backend is published."""

    # On any other path the gateway would cut it off: the model would never see its /v1.
    path: Literal["/"] = "/"


class ProductSpec(Emitted):
    """The spec of a Product, with all that the 3scale-operator would add."""

    name: str
    system_name: str
    description: str
    deployment: Deployment = Deployment()
    backend_usages: dict[str, BackendUsage]
    metrics: dict[str, MetricSpec]
    methods: dict[str, MethodSpec]
    mapping_rules: tuple[MappingRule, ...]
    application_plans: dict[str, ApplicationPlan]
    policies: tuple[Policy, ...]
    provider_account_ref: LocalReference


def product(
    service: ModelService, platform: ModelPlatform, metering: str | None, policies: PlatformPolicies
) -> Manifest:
    """Build the Product.

    `metering`: the version of the policy that counts its tokens, None if nobody does. `policies`: the platform's own.
    """
    tasks = service.spec.model.tasks
    spec = ProductSpec(
        name=title(service),
        system_name=system_name(service),
        description=service.spec.description or title(service),
        backend_usages={system_name(service): BackendUsage()},
        metrics=METRICS,
        methods=METHODS,
        mapping_rules=mapping_rules(tasks),
        application_plans=application_plans(plans_of(service, platform)),
        policies=policy_chain(
            service.spec.api,
            metering_policy(metering, tasks) if metering else None,
            before_auth=policies.at(Position.BEFORE_AUTH),
            after_auth=policies.at(Position.AFTER_AUTH),
        ),
        provider_account_ref=LocalReference(name=platform.spec.threescale.provider_account_secret_ref.name),
    )
    return manifest(product_ref(service, platform), spec)
