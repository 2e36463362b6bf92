from __future__ import annotations

import io
import json
import logging

import pytest

from maas_operator.app import logs
from maas_operator.engine.errors import Conflict
from maas_operator.engine.pass_log import pass_log
from tests.engine.stage import OWNER


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


def test_of_an_exception_the_place_is_told_on_its_line_and_not_the_words(stream: io.StringIO) -> None:
    try:
        raise ValueError("two\nlines of " + "canary")
    except ValueError:
        logging.getLogger("x").exception("failed")
    (line,) = stream.getvalue().splitlines()
    trace = json.loads(line)["exception"]
    assert f'File "{__file__}"' in trace
    assert trace.endswith("\nValueError")
    assert "lines of canary" not in line


def test_what_led_to_an_exception_is_told_as_well_and_the_words_of_our_own(stream: io.StringIO) -> None:
    try:
        try:
            raise KeyError("can" + "ary")
        except KeyError as error:
            raise ExceptionGroup("can" + "ary", [Conflict("the version is old")]) from error
    except ExceptionGroup:
        logging.getLogger("x").exception("failed")
    trace = json.loads(stream.getvalue())["exception"]
    assert [line for line in trace.splitlines() if line[0] != " "] == [
        "KeyError",
        "ExceptionGroup",
        "Conflict: the version is old",
    ]
    assert "canary" not in trace


def test_what_hides_what_led_to_it_hides_it_in_the_log(stream: io.StringIO) -> None:
    try:
        try:
            raise KeyError
        except KeyError:
            raise ValueError from None
    except ValueError:
        logging.getLogger("x").exception("failed")
    assert "KeyError" not in json.loads(stream.getvalue())["exception"].splitlines()


def test_each_line_of_a_pass_says_whose_it_is(stream: io.StringIO) -> None:
    with pass_log(OWNER, {"metadata": {"generation": 3}}):
        logging.getLogger("x").warning("odd")
    logging.getLogger("x").warning("no pass")
    of_pass, other = map(json.loads, stream.getvalue().splitlines())
    assert of_pass.pop("reconcileID")
    fields = {"kind": "ModelService", "namespace": "llm", "name": "toy", "generation": 3}
    assert of_pass.items() >= fields.items()
    assert other.keys().isdisjoint([*fields, "reconcileID"])


def test_kopf_does_not_log_each_event(stream: io.StringIO) -> None:
    logging.getLogger("kopf.objects").info("Handler 'seen' succeeded.")
    assert stream.getvalue() == ""
