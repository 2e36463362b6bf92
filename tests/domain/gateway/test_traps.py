"""What 3scale does that surprises, where one look at what we write proves that it can not happen: see docs/traps.md."""

from __future__ import annotations

from base64 import b64decode
from urllib.parse import urlsplit

from maas_operator.domain.model_subscription import decide
from maas_operator.domain.objects import Manifest
from tests.domain.children import a_service, children_of, strings
from tests.domain.worlds import a_subscription_world, settle

CHILDREN = children_of(a_service(plans=[{"name": "free", "limits": []}]), metering="1.0.0")
BACKEND, PRODUCT, PROMOTION = (CHILDREN[kind] for kind in ("Backend", "Product", "ProxyConfigPromote"))
OF_A_CONSUMER = settle(decide, a_subscription_world()).children


def of_a_consumer(kind: str) -> Manifest:
    """Return the one object of a kind that a consumer gets in 3scale."""
    (found,) = [one for one in OF_A_CONSUMER if one["kind"] == kind]
    return found


def test_the_key_has_no_name_of_its_own_since_3scale_would_ignore_the_keys_that_we_push() -> None:
    user_key = PRODUCT["spec"]["deployment"]["apicastHosted"]["authentication"]["userkey"]
    assert "authUserKey" not in user_key
    assert user_key["credentials"] == "authorization"


def test_the_backend_is_published_at_the_root_since_any_other_path_is_cut_off() -> None:
    assert [usage["path"] for usage in PRODUCT["spec"]["backendUsages"].values()] == ["/"]


def test_the_backends_url_names_its_port_since_3scale_writes_one_and_would_differ_at_each_sync() -> None:
    assert urlsplit(BACKEND["spec"]["privateBaseURL"]).port


def test_the_metrics_that_a_policy_reports_are_the_products_since_those_of_a_backend_carry_its_number() -> None:
    assert BACKEND["spec"]["metrics"].keys() == {"hits"}
    assert {"prompt_tokens", "completion_tokens", "total_tokens"} <= PRODUCT["spec"]["metrics"].keys()


def test_what_the_3scale_operator_would_add_is_there_already() -> None:
    spec = PRODUCT["spec"]
    assert spec["systemName"]
    assert BACKEND["spec"]["systemName"]
    assert "hits" in spec["metrics"]
    assert [policy["name"] for policy in spec["policies"]].count("apicast") == 1
    assert all("configuration" in policy for policy in spec["policies"])


def test_a_pattern_ends_since_3scale_takes_it_for_a_prefix() -> None:
    assert all(rule["pattern"].endswith("$") for rule in PRODUCT["spec"]["mappingRules"])


def test_no_object_asks_for_a_connection_without_a_check_of_certificates() -> None:
    everything = [*CHILDREN.values(), *OF_A_CONSUMER]
    assert not [text for one in everything for text in strings(one) if "insecure" in text]


def test_all_name_the_same_provider_account_since_3scale_would_see_two_tenants() -> None:
    named = [one["spec"].get("providerAccountRef") for one in (BACKEND, PRODUCT)]
    named += [of_a_consumer(kind)["spec"].get("providerAccountRef") for kind in ("DeveloperAccount", "ApplicationAuth")]
    assert named == [{"name": "threescale-provider-account"}] * 4


def test_a_promotion_names_no_provider_account_since_it_has_no_such_field() -> None:
    assert PROMOTION["spec"].keys() == {"productCRName", "production"}


def test_no_key_is_generated_by_3scale_since_those_can_be_guessed() -> None:
    push = of_a_consumer("ApplicationAuth")["spec"]
    assert push["generateSecret"] is False
    stored = next(one for one in OF_A_CONSUMER if one["metadata"]["name"] == push["authSecretRef"]["name"])
    values = {key: b64decode(value).decode() for key, value in stored["data"].items()}
    assert values.keys() == {"UserKey", "ApplicationKey"}
    assert len(values["UserKey"]) >= 32


def test_the_key_is_not_left_to_a_field_that_older_releases_drop() -> None:
    assert "authSecretRef" not in of_a_consumer("Application")["spec"]


def test_the_user_is_an_admin_since_an_account_signs_up_with_one_only() -> None:
    assert of_a_consumer("DeveloperUser")["spec"]["role"] == "admin"


def test_the_annotations_by_which_3scale_finds_its_objects_are_never_ours_to_write() -> None:
    theirs = {"accountID", "userID", "applicationID", "productID", "backendID", "tenantID"}
    annotations = [one["metadata"].get("annotations", {}).keys() for one in (*CHILDREN.values(), *OF_A_CONSUMER)]
    assert not [names & theirs for names in annotations if names & theirs]
