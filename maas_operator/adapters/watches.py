"""Which objects are watched: the kinds of the table, and of the crowded ones only those that concern us."""

from __future__ import annotations

from typing import Final

from maas_operator.domain.kinds import (
    DEPLOYMENT,
    NETWORK_POLICY,
    OF_MINIO,
    POD,
    ROUTE,
    SCALED_OBJECT,
    SERVICE,
    TABLE,
    Kind,
    Use,
)
from maas_operator.domain.labels import MANAGED_BY, OPERATOR

WATCHED: Final[tuple[Kind, ...]] = tuple(kind for kind, use in TABLE.items() if Use.WATCH in use)

OURS: Final = f"{MANAGED_BY}={OPERATOR}"
"""The label selector of what we made."""
_OF_INFERENCE: Final = "serving.kserve.io/inferenceservice"

SELECTORS: Final[dict[Kind, str]] = {
    SERVICE: OURS,
    NETWORK_POLICY: OURS,
    **dict.fromkeys(sorted(OF_MINIO), OURS),
    POD: _OF_INFERENCE,
    DEPLOYMENT: _OF_INFERENCE,
    SCALED_OBJECT: _OF_INFERENCE,
    ROUTE: "3scale.net/created-by=zync",
}
"""Label selectors by which the server itself filters; a kind without one is watched whole."""
