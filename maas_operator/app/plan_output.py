"""A plan for people and for programs. The form for programs is a contract: fields are added, none changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from maas_operator.api.meta import Action
from maas_operator.domain.objects import Ref
from maas_operator.domain.plan.changes import ObjectChange
from maas_operator.domain.plan.plan import Plan

_SIGNS: Final = {Action.CREATE: "+", Action.CHANGE: "~", Action.DELETE: "-"}


class _Part(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True, frozen=True)


class ObjectName(_Part):
    """The address of an object; `namespace` is empty for those that have none."""

    api_version: str
    kind: str
    namespace: str
    name: str


class Field(_Part):
    """A field that differs; null where it is absent. Secret values are replaced by a word."""

    path: str
    before: Any
    after: Any


class Change(ObjectName):
    """An object that would be created, changed or deleted."""

    action: Action
    fields: tuple[Field, ...]


class Obstacle(ObjectName):
    """A condition that would hold something back."""

    condition: str
    reason: str
    message: str


class Summary(_Part):
    """How many objects would be created, changed and deleted."""

    create: int
    change: int
    delete: int


class Document(_Part):
    """What `maas-operator plan -o json` prints.

    `consequences`: each has `type`, `subject` and `message`, and the parts of its type.
    """

    format: Literal["maas-operator.io/plan/v1"] = "maas-operator.io/plan/v1"
    summary: Summary
    changes: tuple[Change, ...]
    consequences: tuple[dict[str, Any], ...]
    problems: tuple[Obstacle, ...]
    notes: tuple[str, ...]


def as_json(plan: Plan) -> str:
    """Return the plan as one JSON document."""
    return document(plan).model_dump_json(by_alias=True, indent=2) + "\n"


def document(plan: Plan) -> Document:
    """Return the plan in the form for programs."""
    return Document(
        summary=_summary(plan),
        changes=tuple(map(_change, plan.changes)),
        consequences=tuple(one.details() for one in plan.consequences),
        problems=tuple(
            Obstacle(**_address(one.subject), condition=one.condition, reason=one.reason, message=one.message)
            for one in plan.problems
        ),
        notes=plan.notes,
    )


def as_text(plan: Plan) -> str:
    """Return the plan for people: what follows first, since that is what a reviewer must not miss."""
    return "\n".join(_lines(plan)) + "\n"


def _lines(plan: Plan) -> Iterator[str]:
    yield from _section("What follows:", [f"  ! {one}" for one in plan.consequences])
    yield from _section("In the way:", [f"  x {one}" for one in plan.problems])
    yield from _section("What would change:", [line for change in plan.changes for line in _change_lines(change)])
    yield from _section("To be known:", [f"  * {one}" for one in plan.notes])
    if not plan.changes:
        yield "Nothing would change."
        return
    counts = _summary(plan)
    yield f"Plan: {counts.create} to create, {counts.change} to change, {counts.delete} to delete."


def _section(title: str, lines: list[str]) -> Iterator[str]:
    if lines:
        yield from (title, *lines, "")


def _change_lines(change: ObjectChange) -> Iterator[str]:
    sign = _SIGNS[change.action]
    # All of a new object would hide what matters; JSON has it.
    more = f" ({len(change.fields)} fields)" if change.action is Action.CREATE else ""
    yield f"  {sign} {change.ref}{more}"
    if change.action is Action.CHANGE:
        yield from (f"      {field}" for field in change.fields)


def _summary(plan: Plan) -> Summary:
    counts = Counter(change.action for change in plan.changes)
    return Summary(create=counts[Action.CREATE], change=counts[Action.CHANGE], delete=counts[Action.DELETE])


def _change(change: ObjectChange) -> Change:
    fields = tuple(Field(path=one.path, before=one.before, after=one.after) for one in change.fields)
    return Change(**_address(change.ref), action=change.action, fields=fields)


def _address(ref: Ref) -> dict[str, str]:
    kind = ref.kind
    return {"api_version": kind.api_version, "kind": kind.name, "namespace": ref.namespace, "name": ref.name}
