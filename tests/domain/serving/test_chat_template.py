"""A chat template in a ConfigMap."""

from typing import Any

import pytest

from maas_operator.api.reasons import Reason
from maas_operator.domain.conditions import Verdict
from maas_operator.domain.kinds import CONFIG_MAP
from maas_operator.domain.objects import Manifest, Ref
from maas_operator.domain.serving.chat_template import LIMIT, config_map_ref, template_hash
from tests.domain.children import a_service

SERVICE = a_service(serving={"chatTemplateRef": {"name": "templates", "key": "llama.jinja"}})


def a_config_map(**data: Any) -> Manifest:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "templates", "namespace": "llm"}, **data}


def with_text(text: str) -> Manifest:
    return a_config_map(data={"llama.jinja": text, "other.jinja": "other"})


def test_a_service_without_template_has_the_models_own() -> None:
    assert config_map_ref(a_service()) is None
    assert template_hash(a_service(), None) == ""


def test_it_is_looked_for_in_the_services_own_namespace() -> None:
    assert config_map_ref(SERVICE) == Ref(CONFIG_MAP, "llm", "templates")


def test_other_content_has_another_hash_and_other_keys_do_not_count() -> None:
    first, second = template_hash(SERVICE, with_text("{{ a }}")), template_hash(SERVICE, with_text("{{ b }}"))
    assert first != second
    assert first == template_hash(SERVICE, a_config_map(data={"llama.jinja": "{{ a }}"}))
    assert isinstance(first, str)
    assert len(first) == 16


@pytest.mark.parametrize(
    "config_map",
    [None, a_config_map(), a_config_map(data=None), a_config_map(data={"a": "b"}), a_config_map(binaryData={"a": ""})],
    ids=str,
)
def test_what_is_not_there_is_named_with_its_key(config_map: Manifest | None) -> None:
    verdict = template_hash(SERVICE, config_map)
    assert isinstance(verdict, Verdict)
    assert verdict.reason is Reason.CHAT_TEMPLATE_MISSING
    assert verdict.message.startswith(
        "spec.serving.chatTemplateRef: ConfigMap llm/templates, key llama.jinja, does not"
    )


@pytest.mark.parametrize("text", ["", " \n", "x" * (LIMIT + 1), "ü" * (LIMIT // 2 + 1)], ids=len)
def test_what_is_no_template_is_refused_without_a_word_of_it(text: str) -> None:
    verdict = template_hash(SERVICE, with_text(text))
    assert isinstance(verdict, Verdict)
    assert verdict.reason is Reason.CHAT_TEMPLATE_INVALID
    assert f"has {len(text.encode())} bytes" in verdict.message
