"""The document of a model, from what its ModelService says: OpenAPI 3.0, since 3scale's operator takes no newer one."""

from __future__ import annotations

from typing import Any, Final

from maas_operator.api.model_platform import ModelPlatform
from maas_operator.api.model_service import ModelService
from maas_operator.api.plans import Limit, Metric, Period, Plan, Pricing
from maas_operator.domain.gateway.mapping_rules import CATALOG_PATHS, INFERENCE_PATHS
from maas_operator.domain.gateway.plans import plans_of
from maas_operator.domain.names import adapter_ids, model_id, model_ids, title

from .markdown import escaped
from .operations import path_item, refusals
from .schemas import INFERENCE, Json, shared
from .templates import rendered

_LIMITED: Final = {
    Metric.REQUESTS: "requests",
    Metric.PROMPT_TOKENS: "prompt tokens",
    Metric.COMPLETION_TOKENS: "completion tokens",
    Metric.TOTAL_TOKENS: "tokens",
}

# `name`, `description` and `plans` hold texts of users: they are escaped.
_DESCRIPTION: Final = """\
{% if description %}
{{ description }}

{% endif %}
| | |
|---|---|
| Base URL | `{{ url }}/v1` |
| Model | `{{ model }}` |
{% if aliases %}
| Other names of the model | {{ aliases }} |
{% endif %}
{% if adapters %}
| Adapters | {{ adapters }} |
{% endif %}
{% if context_length %}
| Context length | {{ context_length }} tokens of prompt and answer together |
{% endif %}

Any OpenAI client works. Send your key as `Authorization: Bearer KEY`, and keep it out of code and repositories: the
examples below read it from the environment.

```bash
export OPENAI_BASE_URL="{{ url }}/v1"
export OPENAI_API_KEY="your key"
```

## Plans

| Plan | Limits | Price | |
|---|---|---|---|
{% for plan in plans %}
| {{ plan.name }} | {{ plan.limits }} | {{ plan.prices }} | {{ plan.terms }} |
{% else %}
| none is open to everybody | | | |
{% endfor %}

Where a limit is reached the answer is 429, and its header `Retry-After` tells when to come back. Listing the models and
asking for health or version uses up no limit.
"""


def generated(service: ModelService, platform: ModelPlatform, url: str) -> Json:
    """Return the document; `url` is where the gateway publishes the model, without a path."""
    tasks = service.spec.model.tasks
    inference = [path for task, paths in INFERENCE_PATHS.items() if task in tasks for path in paths]
    paths = {path: path_item(path, url, model_id(service)) for path in (*inference, *CATALOG_PATHS)}
    schemas = INFERENCE | shared([*model_ids(service), *adapter_ids(service)])
    return {
        "openapi": "3.0.3",
        "info": {
            "title": title(service),
            "description": _description(service, platform, url),
            # Of the API, not of the model: clients find it in each path.
            "version": "v1",
        },
        "servers": [{"url": url}],
        "security": [{"bearerAuth": []}],
        "tags": [
            {"name": "Inference", "description": "Calls of the model, which count against the limits of your plan."},
            {"name": "Catalogue", "description": "Calls that count against no limit."},
        ],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "bearerAuth": {"type": "http", "scheme": "bearer", "description": "The key of your subscription."}
            },
            "responses": refusals(),
            "schemas": {name: schemas[name] for name in sorted(_used(paths, refusals(), schemas))},
        },
    }


def _description(service: ModelService, platform: ModelPlatform, url: str) -> str:
    return rendered(
        _DESCRIPTION,
        description=escaped(service.spec.description or ""),
        url=url,
        model=model_id(service),
        adapters=", ".join(f"`{name}`" for name in adapter_ids(service)),
        aliases=", ".join(f"`{alias}`" for alias in model_ids(service)[1:]),
        context_length=service.spec.model.context_length,
        plans=[_plan(plan, platform.spec.currency) for plan in _published(service, platform)],
    )


def _published(service: ModelService, platform: ModelPlatform) -> list[Plan]:
    return sorted((plan for plan in plans_of(service, platform) if plan.published), key=lambda plan: plan.name)


def _plan(plan: Plan, currency: str) -> dict[str, str]:
    trial = f"{plan.trial_days} days of trial" if plan.trial_days else ""
    approval = "each subscription is approved by hand" if plan.approval_required else ""
    # In the order of the words' meaning: that of a list from a server-side apply is its history.
    limits = sorted(plan.limits, key=lambda one: (list(Metric).index(one.metric), list(Period).index(one.period)))
    return {
        "name": escaped(plan.display_name or plan.name),
        "limits": "; ".join(map(_limit, limits)) or "none",
        "prices": "; ".join(_prices(plan.pricing, currency)),
        "terms": "; ".join(filter(None, (trial, approval))),
    }


def _prices(pricing: Pricing, currency: str) -> list[str]:
    fees = {"once": pricing.setup_fee, "each month": pricing.monthly_fee}
    told = [f"{fee} {currency} {when}" for when, fee in fees.items() if fee.strip("0.")]
    tokens = pricing.per_million_tokens
    if tokens:
        told.append(
            f"{tokens.prompt} {currency} for a million prompt tokens, {tokens.completion} for completion tokens"
        )
    return told


def _limit(limit: Limit) -> str:
    period = "in all" if limit.period is Period.ETERNITY else f"each {limit.period.lower()}"
    return f"{limit.value:,} {_LIMITED[limit.metric]} {period}"


def _used(paths: Json, responses: Json, schemas: Json) -> set[str]:
    """Return the names of the schemas that paths and responses need, and those that these need."""
    found: set[str] = set()
    waiting = [*_references(paths), *_references(responses)]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += _REFERENCES[name] if name in _REFERENCES else _references(schemas[name])
    return found


def _references(value: Any) -> list[str]:
    prefix = "#/components/schemas/"
    if isinstance(value, list):
        return [name for item in value for name in _references(item)]
    if not isinstance(value, dict):
        return []
    own = [value["$ref"].removeprefix(prefix)] if str(value.get("$ref", "")).startswith(prefix) else []
    return own + [name for item in value.values() for name in _references(item)]


_REFERENCES: Final = {name: _references(schema) for name, schema in INFERENCE.items()}
"""What the schemas that are alike in all documents need."""
