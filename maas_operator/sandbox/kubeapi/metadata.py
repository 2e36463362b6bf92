"""Rules of object metadata: names, labels, finalizers, selectors."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from .errors import Cause, bad_request
from .resources import Object, Resource
from .schema import shown

_LABEL: Final = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_RULES: Final[Mapping[str, tuple[int, re.Pattern[str], str]]] = {
    "subdomain": (
        253,
        re.compile(rf"{_LABEL}(\.{_LABEL})*"),
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start "
        "and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
        r"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
    ),
    "label": (
        63,
        re.compile(_LABEL),
        "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end "
        "with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
        "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')",
    ),
    "service": (
        63,
        re.compile("[a-z]([-a-z0-9]*[a-z0-9])?"),
        "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic "
        "character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation "
        "is '[a-z]([-a-z0-9]*[a-z0-9])?')",
    ),
    "path": (253, re.compile(r"(?!\.\.?$)[^/%]+"), "may not contain '/' or '%', or be '.' or '..'"),
}
_QUALIFIED: Final = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_ANNOTATION_BYTES: Final = 262_144


def generated_name(base: str) -> str:
    """A name for `generateName`."""
    return base[:58] + "".join(random.choices("bcdfghjklmnpqrstvwxz2456789", k=5))


def metadata_problems(resource: Resource, object_: Object) -> list[Cause]:
    """What is wrong with an object's metadata."""
    metadata = object_["metadata"]
    causes = _name_problems(resource, metadata["name"])
    for key, value in (metadata.get("labels") or {}).items():
        causes += _label_problems(key, value)
    annotations = metadata.get("annotations") or {}
    for key in annotations:
        causes += _qualified_problems(key, "metadata.annotations")
    if sum(len(key.encode()) + len(value.encode()) for key, value in annotations.items()) > _ANNOTATION_BYTES:
        message = f"Too long: may not be more than {_ANNOTATION_BYTES} bytes"
        causes.append(Cause("FieldValueTooLong", message, "metadata.annotations"))
    return causes + _owner_problems(metadata)


def _name_problems(resource: Resource, name: str) -> list[Cause]:
    longest, pattern, words = _RULES[resource.names]
    if len(name) > longest:
        words = f"must be no more than {longest} characters"
    elif pattern.fullmatch(name):
        return []
    return [Cause("FieldValueInvalid", f"Invalid value: {shown(name)}: {words}", "metadata.name")]


def _label_problems(key: str, value: str) -> list[Cause]:
    causes = _qualified_problems(key, "metadata.labels")
    if len(value) > 63:
        message = f"Invalid value: {shown(value)}: must be no more than 63 characters"
        causes.append(Cause("FieldValueInvalid", message, "metadata.labels"))
    elif value and not _QUALIFIED.fullmatch(value):
        words = (
            "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must "
            "start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for "
            "validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
        )
        causes.append(Cause("FieldValueInvalid", f"Invalid value: {shown(value)}: {words}", "metadata.labels"))
    return causes


def _qualified_problems(key: str, field: str) -> list[Cause]:
    prefix, slash, name = key.rpartition("/")
    fits = len(name) <= 63 and _QUALIFIED.fullmatch(name)
    if slash:
        longest, pattern, _ = _RULES["subdomain"]
        fits = fits and len(prefix) <= longest and pattern.fullmatch(prefix.lower())
    if fits:
        return []
    words = "name part must consist of alphanumeric characters, '-', '_' or '.', and be at most 63 characters"
    return [Cause("FieldValueInvalid", f"Invalid value: {shown(key)}: {words}", field)]


def _owner_problems(metadata: Mapping[str, Any]) -> list[Cause]:
    controllers = [ref for ref in metadata.get("ownerReferences") or () if ref.get("controller")]
    if len(controllers) < 2:
        return []
    message = "Invalid value: Only one reference can have Controller set to true"
    return [Cause("FieldValueInvalid", message, "metadata.ownerReferences")]


def finalizer_problems(new: Object, old: Object) -> list[Cause]:
    """Finalizers that were added to an object which is being deleted."""
    if not old["metadata"].get("deletionTimestamp"):
        return []
    before = old["metadata"].get("finalizers") or []
    added = [name for name in new["metadata"].get("finalizers") or [] if name not in before]
    if not added:
        return []
    listed = ", ".join(f'"{name}"' for name in added)
    message = (
        "Forbidden: no new finalizers can be added if the object is being deleted, "
        f"found new finalizers []string{{{listed}}}"
    )
    return [Cause("FieldValueForbidden", message, "metadata.finalizers")]


Predicate = Callable[[Object], bool]
_TERM: Final = re.compile(
    r"(?P<not>!)?\s*(?P<key>[^\s!=,()]+)\s*(?:(?P<op>==|!=|=)\s*(?P<value>[^\s,()]*)|(?P<set>in|notin)\s*\((?P<values>.*)\))?"
)


def label_selector(text: str) -> Predicate:
    """A predicate for a label selector; 400 if it can not be read."""
    # Commas inside the brackets of `in (...)` do not part terms.
    tests = [_label_test(term.strip()) for term in re.split(r",(?![^()]*\))", text) if term.strip()]
    return lambda object_: all(test(object_["metadata"].get("labels") or {}) for test in tests)


def _label_test(text: str) -> Callable[[Mapping[str, str]], bool]:
    term = _TERM.fullmatch(text)
    if term is None:
        raise bad_request(f"unable to parse requirement: found '{text}'")
    key, operator = term["key"], term["op"] or term["set"]
    if not operator:
        wanted = not term["not"]
        return lambda labels: (key in labels) is wanted
    values = {value.strip() for value in (term["values"] or term["value"]).split(",")}
    if operator in ("!=", "notin"):
        return lambda labels: labels.get(key) not in values
    return lambda labels: labels.get(key) in values


def field_selector(resource: Resource, text: str) -> Predicate:
    """A predicate for a field selector; 400 for fields that this kind can not be selected by."""
    tests = [_field_test(resource, term) for term in text.split(",") if term]
    return lambda object_: all(test(object_) for test in tests)


def _field_test(resource: Resource, term: str) -> Predicate:
    field, operator, value = re.split(r"(!=|==|=)", term, maxsplit=1) if "=" in term else (term, "", "")
    known = {"metadata.name": "metadata.name", "metadata.namespace": "metadata.namespace", **resource.selectable}
    if not operator:
        raise bad_request(f"invalid field selector: {term}")
    if field not in known:
        raise bad_request(f"field label not supported: {field}")
    steps = known[field].split(".")
    return lambda object_: (_at(object_, steps) == value) is (operator != "!=")


def _at(value: Any, steps: list[str]) -> str:
    for step in steps:
        value = value.get(step) if isinstance(value, Mapping) else None
    return "" if value is None else str(value)
