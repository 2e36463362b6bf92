"""What the watches told us, by address, kind, owner and reference. It proves neither presence nor absence."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from maas_operator.domain.kinds import SECRET, Kind
from maas_operator.domain.labels import labels_of, owner_uid_of
from maas_operator.domain.objects import Manifest, Ref, ref_of

TOMBSTONES: Final = 1000
_WORD: Final = 64
"""Texts up to this length are worth to be looked for among those that are there."""

References = Callable[[Manifest], Iterable[Hashable]]


@dataclass(frozen=True, slots=True)
class _Owner:
    uid: str


def without_managed_fields(manifest: Manifest) -> Manifest:
    """Return the object without `managedFields`, which are often its bigger half."""
    metadata = manifest["metadata"]
    if "managedFields" not in metadata:
        return manifest
    return manifest | {"metadata": {key: value for key, value in metadata.items() if key != "managedFields"}}


def kept_of(manifest: Manifest) -> Manifest:
    """Return what is kept of an object; of a Secret only that it is there, and its version.

    Annotations of Secrets go as well: kubectl copies the content into one.
    """
    kept: Manifest = _sharing(
        _presence_of(manifest) if ref_of(manifest).kind == SECRET else without_managed_fields(manifest)
    )
    return kept


def _presence_of(manifest: Manifest) -> Manifest:
    metadata = {
        key: value for key, value in manifest["metadata"].items() if key not in {"annotations", "managedFields"}
    }
    return {"apiVersion": manifest["apiVersion"], "kind": manifest["kind"], "metadata": metadata}


def _sharing(value: Any) -> Any:
    """Return the same value, which shares its keys and words with all others: they are most of what objects take."""
    if isinstance(value, dict):
        return {_sharing(key): _sharing(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_sharing(one) for one in value]
    # A member of an enumeration is a text of another type, and there once anyway.
    return sys.intern(value) if type(value) is str and len(value) <= _WORD else value


def version_of(manifest: Manifest) -> str:
    """Return the object's resourceVersion."""
    version: str = manifest["metadata"].get("resourceVersion", "")
    return version


class Cache:
    """The last known version of each object.

    `references`: what an object refers to, so that `referring_to` finds it from the other end, even before that exists.
    """

    def __init__(self, references: References = lambda manifest: ()) -> None:
        self._references = references
        self._objects: dict[Ref, Manifest] = {}
        self._facets: dict[Ref, tuple[Hashable, ...]] = {}
        # A dict for its order: what is listed comes in the order of arrival.
        self._index: defaultdict[Hashable, dict[Ref, None]] = defaultdict(dict)
        # The answer to a write may arrive after the news that the object is gone; and what only lost the label by which
        # it is watched is told as gone as well. So with the last version of each uid.
        self._gone: dict[str, str] = {}

    def put(self, manifest: Manifest) -> bool:
        """Take a version of an object, unless a newer one is known; tell whether it is another than before."""
        ref = ref_of(manifest)
        known = self._objects.get(ref)
        died_at = self._gone.get(manifest["metadata"].get("uid", ""))
        if died_at is not None and not _is_later(version_of(manifest), than=died_at):
            return False
        if known is not None and not _is_newer(version_of(manifest), than=version_of(known)):
            return False
        if known is not None:
            self._forget(ref)
        self._objects[ref] = kept_of(manifest)
        # It may fail for an odd object: that one is found by its address only, and its next version as any other.
        facets = self._facets[ref] = tuple(self._facets_of(ref, manifest))
        for facet in facets:
            self._index[facet][ref] = None
        return True

    def remove(self, manifest: Manifest) -> bool:
        """Drop an object that is deleted; a successor of the same name stays. Tell whether it was known."""
        ref, uid = ref_of(manifest), manifest["metadata"].get("uid")
        self._gone[uid] = version_of(manifest)
        if len(self._gone) > TOMBSTONES:
            del self._gone[next(iter(self._gone))]
        known = self._objects.get(ref)
        if known is None or known["metadata"].get("uid") != uid:
            return False
        self._forget(ref)
        return True

    def get(self, ref: Ref) -> Manifest | None:
        """Return the last known version of an object."""
        return self._objects.get(ref)

    def of_kind(self, kind: Kind, namespace: str = "") -> list[Manifest]:
        """Return the objects of a kind, in one namespace or in all."""
        return self._having((kind, namespace))

    def owned_by(self, uid: str) -> list[Manifest]:
        """Return the objects that were made for this owner."""
        return self._having(_Owner(uid))

    def referring_to(self, target: Hashable) -> list[Manifest]:
        """Return the objects that refer to this one."""
        return self._having(("reference", target))

    def versions(self, kind: Kind, labels: Mapping[str, str]) -> dict[Ref, str]:
        """Note which objects of a kind are known, before a list of those with these labels is asked for."""
        return {
            ref_of(manifest): version_of(manifest)
            for manifest in self.of_kind(kind)
            if labels.items() <= labels_of(manifest).items()
        }

    def ghosts(self, before: Mapping[Ref, str], live: Iterable[Manifest]) -> list[Manifest]:
        """Return what was known `before` a list was asked for, is not in it, and did not change meanwhile."""
        gone = before.keys() - set(map(ref_of, live))
        suspects = [manifest for ref in gone if (manifest := self._objects.get(ref)) is not None]
        return [manifest for manifest in suspects if version_of(manifest) == before[ref_of(manifest)]]

    def _having(self, facet: Hashable) -> list[Manifest]:
        return [self._objects[ref] for ref in self._index.get(facet, ())]

    def _facets_of(self, ref: Ref, manifest: Manifest) -> set[Hashable]:
        facets: set[Hashable] = {(ref.kind, ""), (ref.kind, ref.namespace)}
        facets.update(("reference", target) for target in self._references(manifest))
        uid = owner_uid_of(manifest)
        return facets if uid is None else facets | {_Owner(uid)}

    def _forget(self, ref: Ref) -> None:
        del self._objects[ref]
        for facet in self._facets.pop(ref, ()):
            del self._index[facet][ref]
            if not self._index[facet]:
                del self._index[facet]


def _is_newer(version: str, *, than: str) -> bool:
    # Versions are opaque by contract: where they are no numbers, the last one told wins.
    return _is_later(version, than=than) if version.isdecimal() and than.isdecimal() else version != than


def _is_later(version: str, *, than: str) -> bool:
    return version.isdecimal() and than.isdecimal() and int(version) > int(than)
