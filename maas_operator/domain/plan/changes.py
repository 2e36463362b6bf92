"""From objects before and after to what a person reads: which object, which field, from what to what.

Values of Secrets and of environment variables never show, and long ones are cut.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from maas_operator.api.meta import Action
from maas_operator.domain.kinds import SECRET
from maas_operator.domain.labels import CORRECTED_AT, GROUP
from maas_operator.domain.objects import Manifest, Ref, ref_of

VALUE_LIMIT: Final = 120
_SECRET: Final = "(secret)"
_TIME: Final = "(time)"
_ABSENT: Final = object()
_COMPARED_METADATA: Final = ("labels", "annotations", "ownerReferences")
_GROUPS: Final = (GROUP, "serving.kserve.io", "capabilities.3scale.net")
_NAMES: Final = ("name", "key", "type", "uid")
"""By which of its fields an entry of a list is known, if all entries have it and no two the same."""


@dataclass(frozen=True, slots=True)
class Write:
    """A write that was not made: the object before and after it; None where there is none."""

    before: Manifest | None
    after: Manifest | None

    @property
    def ref(self) -> Ref:
        """Return the object's address."""
        found = self.after or self.before
        assert found is not None, "a write is of something"
        return ref_of(found)


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field, as JSON values; None where it is absent."""

    path: str
    before: Any
    after: Any

    def __str__(self) -> str:
        if self.before is None:
            return f"{self.path}: + {shown(self.after)}"
        if self.after is None:
            return f"{self.path}: - {shown(self.before)}"
        return f"{self.path}: {shown(self.before)} -> {shown(self.after)}"


@dataclass(frozen=True, slots=True)
class ObjectChange:
    """What would become of one object."""

    action: Action
    ref: Ref
    fields: tuple[FieldChange, ...] = ()

    @property
    def order(self) -> tuple[int, str, str, str]:
        """Return the place in a list that is the same each time: what users wrote, then what is served, then 3scale."""
        kind = self.ref.kind
        rank = _GROUPS.index(kind.group) if kind.group in _GROUPS else len(_GROUPS)
        return rank, kind.name, self.ref.namespace, self.ref.name


def changes(writes: Iterable[Write]) -> tuple[ObjectChange, ...]:
    """Return what the writes would change, in a stable order; a write without an effect is none."""
    found = [change for write in writes if (change := _change(write)) is not None]
    return tuple(sorted(found, key=lambda change: change.order))


def shown(value: Any) -> str:
    """Return a value for one line of text."""
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)
    line = " ".join(text.split())
    return line if len(line) <= VALUE_LIMIT else f"{line[: VALUE_LIMIT - 1]}…"


def _change(write: Write) -> ObjectChange | None:
    if write.before is None:
        # Whose it is, every child of ours says; what counts is what it is.
        return ObjectChange(Action.CREATE, write.ref, _fields(write, metadata=("annotations",)))
    if write.after is None:
        return ObjectChange(Action.DELETE, write.ref)
    fields = _fields(write, metadata=_COMPARED_METADATA)
    return ObjectChange(Action.CHANGE, write.ref, fields) if fields else None


def _fields(write: Write, *, metadata: tuple[str, ...]) -> tuple[FieldChange, ...]:
    before, after = (_content(one, metadata) for one in (write.before, write.after))
    mask = _masked_secret if write.ref.kind == SECRET else _masked
    return tuple(mask(field) for field in _differences(before, after))


def _content(manifest: Manifest | None, metadata: tuple[str, ...]) -> Manifest:
    if manifest is None:
        return {}
    told = {key: value for key, value in manifest.items() if key not in {"apiVersion", "kind", "metadata", "status"}}
    head = {key: manifest["metadata"][key] for key in metadata if manifest["metadata"].get(key)}
    return told | ({"metadata": head} if head else {})


def _differences(before: Any, after: Any, path: str = "") -> Iterator[FieldChange]:
    before, after = _as_container(before, after), _as_container(after, before)
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted(before.keys() | after.keys()):
            yield from _differences(before.get(key, _ABSENT), after.get(key, _ABSENT), _below(path, key))
    elif isinstance(before, list) and isinstance(after, list) and _is_of_objects([*before, *after]):
        yield from _item_differences(before, after, path)
    elif before != after:
        yield FieldChange(path, None if before is _ABSENT else before, None if after is _ABSENT else after)


def _as_container(value: Any, other: Any) -> Any:
    """Return what is absent as an empty container where the other has content, so that its parts are told."""
    if value is not _ABSENT or not other:
        return value
    if isinstance(other, dict):
        return {}
    return [] if isinstance(other, list) and _is_of_objects(other) else value


def _item_differences(before: list[Any], after: list[Any], path: str) -> Iterator[FieldChange]:
    name = next((one for one in _NAMES if _is_key(one, before) and _is_key(one, after)), None)
    if name is not None:
        old, new = ({str(item[name]): item for item in items} for items in (before, after))
        for key in dict.fromkeys([*old, *new]):
            yield from _differences(old.get(key, _ABSENT), new.get(key, _ABSENT), f"{path}[{key}]")
        same = old.keys() == new.keys()
        moved = same and list(old) != list(new)
    else:
        yield from (FieldChange(f"{path}[]", item, None) for item in before if item not in after)
        yield from (FieldChange(f"{path}[]", None, item) for item in after if item not in before)
        moved = before != after and all(item in after for item in before) and all(item in before for item in after)
    if moved:
        yield FieldChange(f"{path}[]", "(their order)", "(another order)")


def _is_of_objects(items: list[Any]) -> bool:
    return bool(items) and all(isinstance(item, dict) for item in items)


def _is_key(name: str, items: list[Any]) -> bool:
    names = [str(item[name]) for item in items if name in item]
    return len(names) == len(items) == len(set(names))


def _below(path: str, key: str) -> str:
    if not path:
        return key
    return f"{path}[{key}]" if set(key) & set("./") else f"{path}.{key}"


def _masked_secret(field: FieldChange) -> FieldChange:
    if not field.path.startswith(("data", "stringData")):
        return field
    return _replaced(field, _SECRET)


def _masked(field: FieldChange) -> FieldChange:
    if ".env[" in field.path and field.path.endswith(".value"):
        return _replaced(field, _SECRET)
    # It is another one each time that somebody looks: a text that changes by itself would be written again and again.
    return _replaced(field, _TIME) if field.path.endswith(f"[{CORRECTED_AT}]") else field


def _replaced(field: FieldChange, word: str) -> FieldChange:
    before, after = (None if value is None else word for value in (field.before, field.after))
    return FieldChange(field.path, before, after)
