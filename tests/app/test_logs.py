from __future__ import annotations

import io
import json
import logging

import pytest

from maas_operator.app import logs


@pytest.fixture
def stream() -> io.StringIO:
    stream = io.StringIO()
    logs.configure("INFO", stream)
    return stream


def test_a_line_is_an_object_with_the_fields_of_its_extra(stream: io.StringIO) -> None:
    logging.getLogger("maas_operator.engine").info("%s is ready", "chat", extra={"namespace": "llm", "duration": 0.5})
    line = json.loads(stream.getvalue())
    assert line.pop("time").endswith("+00:00")
    assert line == {
        "level": "INFO",
        "logger": "maas_operator.engine",
        "message": "chat is ready",
        "namespace": "llm",
        "duration": 0.5,
    }


def test_an_exception_stays_on_its_line(stream: io.StringIO) -> None:
    try:
        raise ValueError("two\nlines")
    except ValueError:
        logging.getLogger("x").exception("failed")
    (line,) = stream.getvalue().splitlines()
    assert "ValueError: two\nlines" in json.loads(line)["exception"]


def test_kopf_does_not_log_each_event(stream: io.StringIO) -> None:
    logging.getLogger("kopf.objects").info("Handler 'seen' succeeded.")
    assert stream.getvalue() == ""
