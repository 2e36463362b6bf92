"""A Product that the 3scale-operator has written and 3scale tells again is no difference, whatever the spec."""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from maas_operator.adapters.threescale.client import AdminApi
from maas_operator.api.model_platform import ModelPlatform
from maas_operator.api.model_service import ModelService
from maas_operator.domain.gateway.backend import backend
from maas_operator.domain.gateway.drift import backend_edits, product_edits
from maas_operator.domain.gateway.product import product
from maas_operator.domain.objects import Manifest
from maas_operator.domain.policies.platform import PlatformPolicies
from maas_operator.engine.threescale import Tenant
from maas_operator.sandbox.controllers.clients import InProcessClient
from maas_operator.sandbox.controllers.faults import Faults
from maas_operator.sandbox.controllers.threescale import admin_api
from maas_operator.sandbox.controllers.threescale.admin_http import InProcess
from maas_operator.sandbox.controllers.threescale.porta import Porta
from maas_operator.sandbox.controllers.threescale.product_sync import ProductSync
from maas_operator.sandbox.kubeapi.kubeapi import KubeApi
from tests.strategies import model_platforms, model_services

TENANT = Tenant("https://maas-admin.apps.example.com", SecretStr("canary"))


async def compared(target: Manifest, wanted: Manifest) -> tuple[str, ...]:
    """Let the 3scale-operator write both, and compare them with what our client reads."""
    porta = Porta()
    catalogue = porta.add_tenant(TENANT.admin_url, TENANT.token.get_secret_value()).catalogue
    spec: dict[str, Any] = target["spec"]
    remote = catalogue.create_backend(
        name=spec["name"], system_name=spec["systemName"], endpoint=spec["privateBaseURL"]
    )
    remote.description = spec["description"]
    policies = [
        {key: policy[key] for key in ("name", "version", "enabled", "configuration")}
        for policy in wanted["spec"]["policies"]
    ]
    written = ProductSync(catalogue, wanted["spec"]).run(policies)
    transport = InProcess(admin_api.AdminApi(porta, Faults(), InProcessClient(KubeApi()), "3scale"))
    async with AdminApi(transport=transport) as api:
        known = target | {"status": {"backendId": remote.id}}
        edits = product_edits(wanted, {spec["systemName"]: known}, {}, await api.product(TENANT, written.id))
        return (*edits, *backend_edits(target, await api.backend(TENANT, remote.id)))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(model_services(), model_platforms(), st.sampled_from([None, "1.0.0"]))
def test_what_was_written_is_no_edit(service: ModelService, platform: ModelPlatform, metering: str | None) -> None:
    policies = PlatformPolicies(platform=platform, secrets={}, installation=None)
    wanted = product(service, platform, metering, policies)
    assert asyncio.run(compared(backend(service, platform), wanted)) == ()
