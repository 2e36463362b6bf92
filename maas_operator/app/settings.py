"""What can be set when the operator starts; everything else is in the objects that it serves."""

from __future__ import annotations

from dataclasses import dataclass, field

from maas_operator.adapters.kubernetes.access import Access


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How to reach Kubernetes, and where to serve metrics and probes; port 0 picks a free one."""

    access: Access = field(default_factory=Access)
    http_host: str = "0.0.0.0"
    http_port: int = 8080
