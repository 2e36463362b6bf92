"""What others say is passed on short, on one line, and without keys."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maas_operator.domain.serving.words import HIDDEN, LIMIT, quoted

SECRETS = {
    "a Hugging Face token": ("loaded hf_aBcDeFgHiJkLmNoP", "hf_aBcDeFgHiJkLmNoP"),
    "an environment variable": ("env: HF_TOKEN=swordfish", "swordfish"),
    "a printed environment": ("{'HF_TOKEN': 'swordfish', 'A': 'b'}", "swordfish"),
    "JSON": ('{"aws_secret_access_key": "sword/fish+1"}', "sword/fish+1"),
    "a key id": ("The key AKIAIOSFODNN7EXAMPLE is unknown", "AKIAIOSFODNN7EXAMPLE"),
    "a header": ("Authorization: Bearer swordfish", "swordfish"),
    "a basic header": ("Authorization: Basic c3dvcmRmaXNo", "c3dvcmRmaXNo"),
    "a URL": ("GET https://me:swordfish@s3.example.com/models", "swordfish"),
    "a presigned URL": ("https://s3/models?X-Amz-Signature=0123456789abcdef&a=b", "0123456789abcdef"),
    "an API key": ("api_key=swordfish", "swordfish"),
    "a flag": ("--api-key=swordfish", "swordfish"),
    "a password": ("password: swordfish", "swordfish"),
    "a JWT": ("got eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl", "eyJzdWIiOiIxIn0"),
    "an OpenAI key": ("sk-proj-0123456789abcdefgh", "sk-proj-0123456789abcdefgh"),
    "a private key": ("-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----", "MIIEow"),
    "half of a private key": ("-----BEGIN PRIVATE KEY-----\nMIIEow", "MIIEow"),
    "a long random word": (
        "user key 3fTgQ81mZpXw7LkR0vNcB5yHsEaUdJ2q_9Kx was refused",
        "3fTgQ81mZpXw7LkR0vNcB5yHsEaUdJ2q_9Kx",
    ),
}

HARMLESS = [
    "ValueError: the max_num_batched_tokens=2048 is smaller than max_model_len: 4096",
    "prompt tokens: 131072, tokenizer: auto",
    "NoCredentialsError: Unable to locate credentials",
    "An error occurred (InvalidAccessKeyId) when calling the ListObjects operation",
    'secret "hf-token" not found',
    "couldn't find key HF_TOKEN in Secret llm/hf-token",
    "registry.example.com/models/tiny@sha256:" + "0123456789abcdef" * 4,
    'File "/usr/lib64/python3.12/site-packages/vllm/v1/engine/core.py", line 700, in __init__',
    "0/3 nodes are available: 2 Insufficient nvidia.com/gpu.",
]  # fmt: skip


@pytest.mark.parametrize("case", SECRETS)
def test_what_looks_secret_is_hidden(case: str) -> None:
    text, secret = SECRETS[case]
    assert secret not in quoted(text)
    assert HIDDEN in quoted(text)


@pytest.mark.parametrize("text", HARMLESS)
def test_what_a_person_needs_is_left(text: str) -> None:
    assert quoted(text) == text


def test_a_secret_is_not_cut_in_halves_before_it_is_looked_for() -> None:
    text = "x" * (LIMIT - 20) + " HF_TOKEN=swordfish-of-the-deep"
    assert "swordfish" not in quoted(text)
    assert "fish" not in quoted("HF_TOKEN=swordfish " + "y" * (LIMIT - 3), last=True)


def test_a_long_text_is_told_from_the_end_that_matters() -> None:
    text = f"first {'middle ' * 500} last"
    assert quoted(text).startswith("first")
    assert quoted(text, last=True).endswith("last")


def test_colors_and_controls_do_not_reach_a_terminal() -> None:
    assert quoted("\x1b[31mred\x1b[0m\r\nand\u202eback\u200b\x07") == "red and back"


@given(st.text(max_size=10_000), st.booleans())
def test_any_text_becomes_a_short_printable_line(text: str, last: bool) -> None:
    line = quoted(text, last=last)
    assert len(line) <= LIMIT + 1
    assert line.isprintable()
