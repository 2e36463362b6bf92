"""What must hold in every scenario, whatever happened in it; each oracle returns complaints, none if all is well."""

from __future__ import annotations

import base64
import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from maas_operator.domain.kinds import RETAINED, SECRET
from maas_operator.domain.labels import MANAGED_BY, OPERATOR, OWNER_KIND, OWNER_UID, labels_of
from maas_operator.domain.minio.names import claim_ref, root_ref
from maas_operator.domain.objects import Manifest, ref_of
from maas_operator.sandbox.controllers.threescale.porta import Porta
from maas_operator.sandbox.kubeapi.store import Event, EventType
from tests.virtual_time import now

CANARY = "canary"
OURS = "maas-operator.io/"


@dataclass
class Historian:
    """Reads every change of the store, when it is made."""

    last_write_at: float = 0.0
    history: list[Event] = field(default_factory=list)
    credentials: dict[tuple[str, str, str], set[str]] = field(default_factory=lambda: defaultdict(set))

    def begin(self, objects: Iterable[Manifest]) -> None:
        """Begin with a cluster that is not empty."""
        self.last_write_at = now()
        for one in objects:
            if one["kind"] == SECRET.name:
                self._remember(one)

    def hear(self, event: Event) -> None:
        self.last_write_at = now()
        self.history.append(event)
        if event.object["kind"] == SECRET.name and event.type is not EventType.DELETED:
            self._remember(event.object)

    def _remember(self, secret: Manifest) -> None:
        owner = labels_of(secret).get(OWNER_UID)
        for key, value in (secret.get("data") or {}).items():
            if owner and CANARY in (text := base64.b64decode(value).decode()):
                where = secret["metadata"]["namespace"], secret["metadata"]["name"], f"{owner} {key}"
                self.credentials[where].add(text)

    def lost_credentials(self) -> Iterator[str]:
        """P3: a credential, once stored for an owner, keeps its value."""
        for (namespace, name, key), values in self.credentials.items():
            if len(values) > 1:
                yield f"P3 no loss: Secret {namespace}/{name} had {len(values)} values of {key.split()[1]}"

    def untrue_conditions(self) -> Iterator[str]:
        """P6: times move on flips only, and nothing is said of a generation that was not seen."""
        for event in self.history:
            if not str(event.object["apiVersion"]).startswith(OURS):
                continue
            before = {one["type"]: one for one in _conditions(event.previous)}
            for one in _conditions(event.object):
                yield from _untrue(event, before.get(one["type"]), one)

    def exposed_secrets(self) -> Iterator[str]:
        """P8: no value of ours outside of Secrets, and the token in no other place than its own."""
        for event in self.history:
            kind, metadata = event.object["kind"], event.object["metadata"]
            if kind != SECRET.name and CANARY in str(event.object):
                yield f"P8 silence: {kind} {metadata.get('namespace')}/{metadata['name']} shows a secret"


def _conditions(manifest: Manifest | None) -> Iterable[dict[str, Any]]:
    return ((manifest or {}).get("status") or {}).get("conditions") or ()


def _untrue(event: Event, before: dict[str, Any] | None, after: dict[str, Any]) -> Iterator[str]:
    what = f"P6 truth: {event.object['kind']} {event.object['metadata']['name']} {after['type']}"
    if after.get("observedGeneration", 0) > event.object["metadata"]["generation"]:
        yield f"{what}: of generation {after['observedGeneration']} before it was there"
    if before is None:
        return
    moved = before["lastTransitionTime"] != after["lastTransitionTime"]
    if moved and before["status"] == after["status"]:
        yield f"{what}: its time moved although it stayed {after['status']}"


def leftovers(objects: Iterable[Manifest], porta: Porta, *, but: str = "") -> Iterator[str]:
    """P4: what a deletion leaves, in Kubernetes and in 3scale, `but` a kind of owner and its children."""
    for one in objects:
        if but in (one["kind"], labels_of(one).get(OWNER_KIND)) or _outlives_its_owner(one):
            continue
        finalizers = [name for name in one["metadata"].get("finalizers") or () if name.startswith(OURS)]
        if labels_of(one).get(MANAGED_BY) == OPERATOR or finalizers:
            yield f"P4 no leak: {one['kind']} {one['metadata'].get('namespace', '')}/{one['metadata']['name']}"
    for tenant in porta:
        yield from (f"P4 no leak: account {a.org_name}" for a in tenant.people.accounts.values())
        yield from (f"P4 no leak: application {a.name}" for a in tenant.people.applications.values())
        yield from (f"P4 no leak: backend {b.system_name}" for b in tenant.catalogue.backends.values())
        products = [p.system_name for p in tenant.catalogue.products.values() if p.system_name != "api"]
        yield from (f"P4 no leak: product {name}" for name in products)


def _outlives_its_owner(one: Manifest) -> bool:
    """Tell whether an object holds data: a bucket's claim, or a MinIO's volume and root credentials."""
    ref = ref_of(one)
    return ref.kind in RETAINED or ref in (claim_ref(ref.namespace), root_ref(ref.namespace))


class Listener(logging.Handler):
    """Keeps what is logged: no secret may be in it, and no fault that nobody expected."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[tuple[int, str]] = []
        self._formatter = logging.Formatter("%(name)s %(message)s")

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append((record.levelno, self._formatter.format(record)))

    @contextmanager
    def attached(self) -> Iterator[None]:
        """Listen to everything."""
        root = logging.getLogger()
        level = root.level
        root.addHandler(self)
        root.setLevel(logging.INFO)
        try:
            yield
        finally:
            root.removeHandler(self)
            root.setLevel(level)

    def complaints(self) -> Iterator[str]:
        for level, line in self.lines:
            if CANARY in line:
                yield f"P8 silence: a log line shows a secret: {line[:80]}"
            if level >= logging.ERROR:
                yield f"a fault was logged: {line}"
