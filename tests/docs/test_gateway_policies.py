"""The page on policies tells the chain and the choice as the code has them."""

import re

from docs.generate import HERE
from maas_operator.api.model_service import Api, Cors, RateLimit
from maas_operator.domain.gateway.policies import Policy, policy_chain
from maas_operator.domain.policies.admission import ADMITTED, REFUSED

PAGE = (HERE / "gateway-policies.md").read_text()


def rows(title: str) -> list[list[str]]:
    """Return the cells of the rows of the table below a title."""
    section = PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_the_chain_is_told_in_its_order() -> None:
    names = ("BeforeAuth", "AfterAuth", "maas-llm-metering")
    before, after, metering = (Policy(name=name, configuration={}) for name in names)
    api = Api(cors=Cors(allowed_origins=("*",)), rate_limit=RateLimit(requests_per_second=1, burst=0))
    chain = policy_chain(api, metering, before_auth=[before], after_auth=[after])
    assert [re.sub("[`*]", "", row[0]) for row in rows("The chain")] == [policy.name for policy in chain]


def test_each_policy_that_may_be_added_is_told_with_its_position() -> None:
    told = {row[0].strip("`"): row[1] for row in rows("What may be added")}
    assert told == {name: one.position or "both" for name, one in ADMITTED.items()}


def test_why_less_is_taken_is_told_in_the_words_of_the_condition() -> None:
    told = {row[0].strip("`"): row[2] for row in rows("What may be added")}
    assert [name for name, one in ADMITTED.items() if one.note not in told[name]] == []


def test_no_policy_is_both_admitted_and_refused() -> None:
    assert not ADMITTED.keys() & REFUSED.keys()
