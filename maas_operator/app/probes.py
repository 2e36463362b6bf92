"""What the kubelet is told: whether only a new process helps, and whether this one can do its work."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from maas_operator.domain.kinds import CUSTOM_RESOURCE_DEFINITION, Kind
from maas_operator.domain.objects import Ref
from maas_operator.engine.cache import Cache
from maas_operator.engine.engine import PASS_SECONDS
from maas_operator.engine.queue import WorkQueue
from maas_operator.engine.triggers import OWN_KINDS

STILL_SECONDS: Final = 30.0
"""How long the loop of the watches may stand still. Our own needs no such rule: while it stands, nobody answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probes:
    """Each probe returns what is wrong, in words; nothing if all is well.

    `still_seconds`: since when the loop of the watches has not turned. `listed`: whether the first lists are complete.
    """

    queue: WorkQueue[Ref]
    cache: Cache
    still_seconds: Callable[[], float]
    listed: Callable[[], bool]
    stands_by: Callable[[], bool]

    def healthy(self) -> str:
        """Tell why this process must end."""
        if (seconds := self.queue.longest_running_seconds) > 2 * PASS_SECONDS:
            return f"a pass has been running for {seconds:.0f} s"
        if (seconds := self.still_seconds()) > STILL_SECONDS:
            return f"the watches have stood still for {seconds:.0f} s"
        return ""

    def ready(self) -> str:
        """Tell why this process can not work."""
        if self.stands_by():
            # It could take over, and a rollout waits until each replica is ready.
            return ""
        if not self.listed():
            return "the watches have not told yet what there is"
        missing = [kind.name for kind in OWN_KINDS if not self._is_served(kind)]
        return f"these types are not installed: {', '.join(missing)}; apply the CRDs" if missing else ""

    def _is_served(self, kind: Kind) -> bool:
        definition = self.cache.get(Ref(CUSTOM_RESOURCE_DEFINITION, "", f"{kind.plural}.{kind.group}"))
        versions = definition["spec"]["versions"] if definition is not None else ()
        return any(one["name"] == kind.version and one["served"] for one in versions)
