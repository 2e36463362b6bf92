"""What was edited in 3scale itself: the custom resource, which 3scale had taken as it is, against what 3scale has now.

Values are compared as the 3scale-operator writes them, so that what it makes of a spec is never a difference.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from maas_operator.domain.labels import CORRECTED_AT, annotations_of
from maas_operator.domain.objects import Manifest
from maas_operator.domain.observed import status_of

from .remote import RemoteBackend, RemoteConfiguration, RemoteDocument, RemotePlan, RemoteProduct, RemoteRule
from .status import PromotionState

Spec = Mapping[str, Any]


def product_edits(
    product: Manifest, backends: Mapping[str, Manifest], configurations: Mapping[str, Any], remote: RemoteProduct
) -> tuple[str, ...]:
    """Name what of a synced Product is not so in 3scale.

    `backends` by system name; `configurations`: what is in the Secrets that the chain refers to, by name.
    """
    spec = product["spec"]
    wanted = {
        "name": (spec["name"], remote.name),
        "description": (spec["description"], remote.description),
        "backends": (_usages(spec, backends), remote.usages),
        "metrics": (spec["metrics"].keys() | spec["methods"].keys(), remote.metrics.keys()),
        "mapping rules": (_rules(spec), remote.rules),
        "policies": (_policies(spec, configurations), remote.policies),
    }
    edits = [what for what, (one, other) in wanted.items() if one != other]
    return (*edits, *_setting_edits(spec, remote.settings), *_plan_edits(spec["applicationPlans"], remote))


def production_edits(
    product: Manifest,
    backends: Mapping[str, Manifest],
    configurations: Mapping[str, Any],
    promotion: PromotionState,
    found: RemoteConfiguration | None,
) -> tuple[str, ...]:
    """Name what of a Product that was promoted is not so in production; `backends` and `configurations` as above.

    The version alone does not tell: what was edited in 3scale at that moment was promoted with the rest, and what is
    put back in a backend does not come to the gateways by itself.
    """
    if found is None:
        return ("nothing is in production",)
    spec = product["spec"]
    target = _target(spec, backends)
    wanted = {
        "version": (promotion.production_version, found.version),
        "backend": (target, (found.target or target).rstrip("/")),
        "mapping rules": (_rules(spec), found.rules),
        "policies": (_chain(spec, configurations), found.policies),
    }
    edits = [what for what, (one, other) in wanted.items() if one != other]
    return (*edits, *_setting_edits(spec, found.settings))


def backend_edits(backend: Manifest, remote: RemoteBackend) -> tuple[str, ...]:
    """Name what of a synced Backend is not so in 3scale."""
    spec = backend["spec"]
    wanted = {
        "name": (spec["name"], remote.name),
        "description": (spec["description"], remote.description),
        "private base URL": (spec["privateBaseURL"].rstrip("/"), remote.endpoint.rstrip("/")),
    }
    return tuple(what for what, (one, other) in wanted.items() if one != other)


def document_edits(active_doc: Manifest, text: str, product: Manifest, remote: RemoteDocument) -> tuple[str, ...]:
    """Name what of a synced ActiveDoc is not so in 3scale; `text` is the document that it was given."""
    spec = active_doc["spec"]
    wanted = {
        "name": (spec["name"], remote.name),
        "description": (spec["description"], remote.description),
        "published": (spec["published"], remote.published),
        "product": (status_of(product)["productId"], remote.product_id),
    }
    edits = [what for what, (one, other) in wanted.items() if one != other]
    return (*edits, *([] if _is_same_document(text, remote.body) else ["text"]))


def has_its_rules(product: Manifest, remote: RemoteProduct) -> bool:
    """Tell whether 3scale has a Product's mapping rules, whatever its gateways have loaded."""
    return _rules(product["spec"]) == remote.rules


def awaits_correction(product: Manifest, edited_at: datetime | None) -> bool:
    """Tell whether a Product that was found to be edited is still to be written anew."""
    return with_correction(product, product, edited_at) != product


def with_correction(rendered: Manifest, current: Manifest | None, edited_at: datetime | None) -> Manifest:
    """Return the object with the time of its last correction: a new one makes the 3scale-operator write it anew."""
    last = annotations_of(current).get(CORRECTED_AT, "") if current else ""
    mark = max(last, f"{edited_at:%Y-%m-%dT%H:%M:%SZ}" if edited_at else "")
    if not mark:
        return rendered
    annotations = {**annotations_of(rendered), CORRECTED_AT: mark}
    return rendered | {"metadata": rendered["metadata"] | {"annotations": annotations}}


def _is_same_document(ours: str, theirs: str) -> bool:
    try:
        return _is_same(json.loads(ours), json.loads(theirs))
    except (ValueError, RecursionError):
        return False


def _is_same(one: Any, other: Any) -> bool:
    """Compare as the 3scale-operator writes documents: without what is empty or false, and without what is beside $ref.

    Lists keep their order and their length.
    """
    if isinstance(one, dict) and isinstance(other, dict):
        if "$ref" in one and "$ref" in other:
            return bool(one["$ref"] == other["$ref"])
        return all(_is_same(one.get(key), other.get(key)) for key in one.keys() | other.keys())
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return all(map(_is_same, one, other))
    return bool(one == other) or (_is_nothing(one) and _is_nothing(other))


def _is_nothing(value: Any) -> bool:
    return all(map(_is_nothing, value.values())) if isinstance(value, dict) else not value


def _usages(spec: Spec, backends: Mapping[str, Manifest]) -> dict[int, str]:
    return {status_of(backends[name])["backendId"]: usage["path"] for name, usage in spec["backendUsages"].items()}


def _target(spec: Spec, backends: Mapping[str, Manifest]) -> str:
    # The 3scale-operator takes the usage out of a Product whose Backend goes.
    return ",".join(str(backends[name]["spec"]["privateBaseURL"]).rstrip("/") for name in spec["backendUsages"])


def _rules(spec: Spec) -> tuple[RemoteRule, ...]:
    return tuple(
        RemoteRule(
            rule["httpMethod"], rule["pattern"], rule["metricMethodRef"], rule["increment"], rule.get("last", False)
        )
        for rule in spec["mappingRules"]
    )


def _policies(spec: Spec, configurations: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    return tuple(
        {
            **{key: policy[key] for key in ("name", "version", "enabled")},
            "configuration": configurations.get(_source(policy), policy["configuration"]),
        }
        for policy in spec["policies"]
    )


def _source(policy: Spec) -> str:
    return str((policy.get("configurationRef") or {}).get("name", ""))


def _chain(spec: Spec, configurations: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    """Return the policies as gateways get them."""
    told = ("name", "version", "configuration")
    links = _policies(spec, configurations)
    return tuple({key: policy[key] for key in told} for policy in links if policy["enabled"])


def _setting_edits(spec: Spec, found: Mapping[str, str]) -> list[str]:
    # Older releases do not tell all settings.
    return [f"setting {name}" for name, value in _settings(spec).items() if found.get(name, value) != value]


def _settings(spec: Spec) -> dict[str, str]:
    user_key = spec["deployment"]["apicastHosted"]["authentication"]["userkey"]
    responses = {_snake(name): str(value) for name, value in user_key["gatewayResponse"].items()}
    fixed = {"backend_version": "1", "deployment_option": "hosted", "credentials_location": user_key["credentials"]}
    return fixed | responses


def _snake(name: str) -> str:
    return re.sub("([A-Z])", r"_\1", name).lower()


def _plan_edits(plans: Spec, remote: RemoteProduct) -> list[str]:
    # A plan that was customised for one application is no edit that a sync could undo.
    found = {name: plan for name, plan in remote.plans.items() if not plan.custom}
    edits = [f"plan {name}" for name in sorted(found.keys() ^ plans.keys())]
    for name in sorted(found.keys() & plans.keys()):
        if _plan(found[name], plans[name]) != found[name] or _limits(plans[name]) != remote.limits[name]:
            edits.append(f"plan {name}")
    return edits


def _plan(found: RemotePlan, plan: Spec) -> RemotePlan:
    """Return the plan of 3scale as the spec wants it."""
    approval = plan["appsRequireApproval"] if found.approval_required is not None else None
    return RemotePlan(
        id=found.id,
        custom=found.custom,
        system_name=found.system_name,
        name=plan["name"],
        published=plan["published"],
        trial_days=plan["trialPeriod"],
        setup_fee=Decimal(plan.get("setupFee", 0)),
        month_fee=Decimal(plan.get("costMonth", 0)),
        approval_required=approval,
    )


def _limits(plan: Spec) -> dict[tuple[str, str], int]:
    limits = plan.get("limits") or ()
    return {(limit["metricMethodRef"]["systemName"], limit["period"]): limit["value"] for limit in limits}
