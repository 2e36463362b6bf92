"""What a plan is told of subscriptions by a 3scale that it does not ask."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from maas_operator.engine.errors import RemoteUnavailable
from maas_operator.engine.threescale import Tenant
from maas_operator.engine.unasked import Unasked

TENANT = Tenant("https://3scale-admin.apps.example.com", SecretStr("canary"))


async def test_nothing_is_told_of_an_application_or_a_user() -> None:
    with pytest.raises(RemoteUnavailable, match="not asked"):
        await Unasked().access(TENANT, 4, 6, SecretStr("canary"))
    with pytest.raises(RemoteUnavailable, match="not asked"):
        await Unasked().has_user(TENANT, 4, 5)
