"""What `maas-operator run` does, with one difference: 3scale is on the loopback, for its host name has no address."""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta
from functools import partial
from pathlib import Path

from maas_operator.adapters.kubernetes.access import Access
from maas_operator.adapters.threescale.client import AdminApi
from maas_operator.app import logs, operator
from maas_operator.app.election import elected
from maas_operator.app.settings import Settings

from .controllers.threescale.admin_http import Detour


def main(kubeconfig: str, http_port: str, admin_api_port: str, *terms: str) -> int:
    """Run the operator until a signal; return its exit code. `terms`: the seconds of those of an election."""
    logs.configure("INFO")
    election = elected(None, **_terms(*terms)) if terms else None
    settings = Settings(
        access=Access(kubeconfig=Path(kubeconfig)),
        threescale=partial(AdminApi, transport=Detour(int(admin_api_port))),
        election=election,
        http_host="127.0.0.1",
        http_port=int(http_port),
    )
    return asyncio.run(operator.run(settings))


def _terms(*seconds: str) -> dict[str, timedelta]:
    names = ("lease", "renew", "retry")
    return {name: timedelta(seconds=float(one)) for name, one in zip(names, seconds, strict=True)}


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
