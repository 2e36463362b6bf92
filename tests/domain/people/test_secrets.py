"""Secrets as they are read and written."""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from maas_operator.domain.kinds import SECRET
from maas_operator.domain.objects import Ref
from maas_operator.domain.people.secrets import fingerprint, read_secret, secret

REF = Ref(SECRET, "llm", "a-secret")
VALUES = st.dictionaries(st.text(min_size=1, max_size=10), st.text(min_size=1, max_size=30), max_size=4)


def stored(**data: str | None) -> dict[str, Any]:
    return {"metadata": {"name": "a-secret", "namespace": "llm"}, "data": data}


@given(VALUES)
def test_what_is_written_is_read_again(values: dict[str, str]) -> None:
    read = read_secret(secret(REF, {key: SecretStr(value) for key, value in values.items()}))
    found = {key: read.get(key) for key in values}
    assert {key: value and value.get_secret_value() for key, value in found.items()} == values


@pytest.mark.parametrize("value", ["not base64!", b64encode(b"\xff\xfe").decode(), ""])
def test_a_value_that_is_no_text_counts_as_missing(value: str) -> None:
    assert read_secret(stored(key=value)).get("key") is None


def test_a_key_that_is_not_there_is_missing() -> None:
    assert read_secret(stored()).get("key") is None
    assert read_secret({"metadata": {}, "data": None}).get("key") is None


def test_the_time_of_its_creation_is_known_when_the_api_has_stored_it() -> None:
    manifest = stored()
    assert read_secret(manifest).created_at is None
    manifest["metadata"]["creationTimestamp"] = "2026-01-01T12:00:00Z"
    assert read_secret(manifest).created_at == datetime(2026, 1, 1, 12, tzinfo=UTC)


def test_no_text_shows_a_value_that_was_read() -> None:
    read = read_secret(secret(REF, {"key": SecretStr("canary")}))
    assert "canary" not in f"{read} {read!r} {read.get('key')}"


def test_a_fingerprint_is_the_same_in_every_version_since_objects_are_named_by_it() -> None:
    assert fingerprint(SecretStr("k" * 32)) == "5e318f8c"
