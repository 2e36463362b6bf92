"""Decisions on ModelSubscriptions: what is written when, and what the conditions say."""

from __future__ import annotations

from base64 import b64decode

import pytest

from maas_operator.api.reasons import ConditionType as Type
from maas_operator.domain.decision import Acceptance, Decision
from maas_operator.domain.kinds import SECRET
from maas_operator.domain.labels import ACCEPTED
from maas_operator.domain.model_subscription import PATIENCE, POLL, decide
from maas_operator.domain.objects import Manifest, Ref, Refusal, RefusalReason, ref_of

from . import worlds
from .worlds import a_service, a_subscription, a_subscription_world, condition_of, kept, kinds, settle, told

KEY = Ref(SECRET, "3scale", "llm.tiny-dev1.key")
PASSWORD = Ref(SECRET, "3scale", "llm.dev1.password")
GIVEN = Ref(SECRET, "llm", "dev1-password")
WITH_PASSWORD = {
    "user": {"username": "dev1", "email": "dev1@example.com", "passwordSecretRef": {"name": "dev1-password"}}
}


def values(decision: Decision, name: str) -> dict[str, str]:
    """Return the decoded values of a Secret among the children."""
    secret = next(one for one in decision.children if one["kind"] == "Secret" and one["metadata"]["name"] == name)
    return {key: b64decode(value).decode() for key, value in secret["data"].items()}


def names(decision: Decision, kind: str) -> list[str]:
    return [one["metadata"]["name"] for one in decision.children if one["kind"] == kind]


def failing(kind: str, message: str) -> worlds.Answer:
    return worlds.but(
        kind,
        lambda one: worlds.with_status(one, observedGeneration=1, conditions=[worlds.condition("Failed", message)]),
    )


def test_a_subscription_becomes_account_application_key_and_the_consumers_secret_in_this_order() -> None:
    decision = settle(decide, a_subscription_world())
    assert kinds(decision) == [
        "Secret",
        "Secret",
        "DeveloperAccount",
        "DeveloperUser",
        "Secret",
        "Application",
        "ApplicationAuth",
        "Secret",
    ]
    assert told(decision, Type.READY) == ("True", "Ready")
    assert told(decision, Type.RECONCILING) == told(decision, Type.STALLED) == ("False", "Settled")
    assert decision.status["state"] == "Live"


def test_the_consumer_receives_endpoint_key_and_model() -> None:
    decision = settle(decide, a_subscription_world())
    assert values(decision, "tiny-dev1-key") == {
        "OPENAI_BASE_URL": "https://tiny.example.com/v1",
        "OPENAI_API_KEY": "fresh-key-" + "k" * 32,
        "MODEL": "tiny",
    }
    assert values(decision, "dev1-portal") == {
        "url": "https://portal.example.com",
        "username": "dev1",
        "password": "fresh-password-" + "p" * 16,
    }


def test_without_a_portal_the_key_works_and_no_login_is_handed_out() -> None:
    platform = worlds.a_platform()
    unknown = platform.status.model_copy(update={"portal_url": None})
    decision = settle(decide, a_subscription_world(platform=platform.model_copy(update={"status": unknown})))
    assert told(decision, Type.READY) == ("True", "Ready")
    assert "dev1-portal" not in names(decision, "Secret")
    assert Ref(SECRET, "llm", "dev1-portal") in decision.keep


def test_a_stored_key_and_password_are_kept_for_ever() -> None:
    secrets = {KEY: worlds.stored(UserKey="the-old-key"), PASSWORD: worlds.stored(password="the-old-password")}
    decision = settle(decide, a_subscription_world(secrets=secrets))
    assert values(decision, "tiny-dev1-key")["OPENAI_API_KEY"] == "the-old-key"
    assert values(decision, "llm.dev1.password") == {"password": "the-old-password"}


def test_an_emptied_key_is_replaced_since_3scale_would_crash_on_it() -> None:
    decision = settle(decide, a_subscription_world(secrets={KEY: worlds.stored(UserKey="")}))
    assert values(decision, "llm.tiny-dev1.key") == {"UserKey": "fresh-key-" + "k" * 32, "ApplicationKey": ""}


def test_no_user_is_put_into_the_account_of_somebody_else() -> None:
    conflict = Refusal(RefusalReason.CONFLICT, "DeveloperAccount 3scale/llm.dev1 exists and is not ours")
    decision = settle(decide, a_subscription_world(), worlds.refusing("DeveloperAccount", conflict))
    assert kinds(decision) == ["Secret", "Secret", "DeveloperAccount"]
    assert told(decision, Type.ACCOUNT_READY) == ("False", "Conflict")


@pytest.mark.parametrize("kind", ["Application", "DeveloperAccount"])
def test_a_conflict_is_the_reason_for_not_being_ready(kind: str) -> None:
    refusal = Refusal(RefusalReason.CONFLICT, f"{kind} exists and is not ours")
    decision = settle(decide, a_subscription_world(), worlds.refusing(kind, refusal))
    assert told(decision, Type.READY) == ("False", "Conflict")
    assert told(decision, Type.STALLED) == ("True", "Conflict")


def test_an_application_that_3scale_made_anew_gets_the_key_pushed_again() -> None:
    pushes = [
        names(
            settle(decide, a_subscription_world(secrets={KEY: worlds.stored(UserKey="k" * 32)}), answer),
            "ApplicationAuth",
        )
        for answer in (worlds.content, _with_application_id(60))
    ]
    assert len(pushes[0]) == len(pushes[1]) == 1
    assert pushes[0] != pushes[1]


def _with_application_id(number: int) -> worlds.Answer:
    ready = {"observedGeneration": 1, "state": "live", "conditions": [worlds.condition("Ready")]}
    return worlds.but("Application", lambda one: worlds.with_status(one, applicationID=number, **ready))


def test_an_application_changes_with_the_numbers_of_its_product_and_account_so_that_3scale_looks_at_it() -> None:
    decision = settle(decide, a_subscription_world())
    application = next(one for one in decision.children if one["kind"] == "Application")
    assert application["metadata"]["annotations"] == {
        "maas-operator.io/product-id": "7",
        "maas-operator.io/account-id": "4",
    }


def test_each_key_has_a_push_of_its_own() -> None:
    one = settle(decide, a_subscription_world(secrets={KEY: worlds.stored(UserKey="one" * 10)}))
    other = settle(decide, a_subscription_world(secrets={KEY: worlds.stored(UserKey="two" * 10)}))
    assert names(one, "ApplicationAuth") != names(other, "ApplicationAuth")


def test_the_key_is_pushed_only_when_the_application_has_an_id() -> None:
    answer = worlds.but("Application", worlds.with_status)
    decision = settle(decide, a_subscription_world(), answer)
    assert "ApplicationAuth" not in kinds(decision)
    assert told(decision, Type.KEY_READY) == ("False", "KeyPending")
    assert kept(decision) >= {"ApplicationAuth"}


def test_a_key_that_3scale_has_not_taken_yet_is_not_given_to_the_consumer() -> None:
    decision = settle(decide, a_subscription_world(), worlds.but("ApplicationAuth", worlds.with_status))
    assert told(decision, Type.KEY_READY) == ("False", "KeyPending")
    assert "tiny-dev1-key" not in names(decision, "Secret")


@pytest.mark.parametrize("waiting", ["DeveloperUser", "DeveloperAccount"])
def test_no_application_is_made_before_account_and_user_are_there(waiting: str) -> None:
    decision = settle(decide, a_subscription_world(), worlds.but(waiting, worlds.with_status))
    assert "Application" not in kinds(decision)
    assert told(decision, Type.ACCOUNT_READY) == ("False", "AccountPending")
    assert told(decision, Type.RECONCILING) == ("True", "AccountPending")


def test_an_account_that_is_ready_without_an_id_is_not_ready() -> None:
    answer = worlds.but(
        "DeveloperAccount",
        lambda one: worlds.with_status(one, observedGeneration=1, conditions=[worlds.condition("Ready")]),
    )
    assert told(settle(decide, a_subscription_world(), answer), Type.ACCOUNT_READY) == ("False", "AccountPending")


def test_the_secret_is_not_written_by_halves_while_the_model_has_no_url() -> None:
    decision = settle(decide, a_subscription_world(service=a_service()))
    assert "tiny-dev1-key" not in names(decision, "Secret")
    assert condition_of(decision, Type.KEY_READY).reason == "ModelNotPublished"
    assert Ref(SECRET, "llm", "tiny-dev1-key") in decision.keep


def test_what_a_consumer_has_is_kept_while_3scale_is_busy_with_the_product() -> None:
    seen = _children(settle(decide, a_subscription_world()))
    busy = worlds.synced(worlds.child("Product", "llm.tiny"), generation=2, observed=1)
    decision = settle(decide, a_subscription_world(product=busy, seen=seen))
    assert "Application" not in kinds(decision)
    assert {ref.name for ref in decision.keep} >= {"llm.tiny-dev1"}
    assert told(decision, Type.READY) == ("True", "Ready")


def _children(decision: Decision) -> dict[Ref, Manifest]:
    return {ref_of(one): worlds.content(one) for one in decision.children}


def test_a_user_name_that_somebody_else_has_is_never_adopted() -> None:
    words = 'error: {"errors":{"username":["has already been taken"]}} - code: 422'
    decision = settle(decide, a_subscription_world(), failing("DeveloperUser", words))
    assert told(decision, Type.STALLED) == ("True", "UsernameTaken")
    assert "dev1@example.com" in condition_of(decision, Type.ACCOUNT_READY).message


def test_3scales_own_words_about_an_account_are_told() -> None:
    decision = settle(decide, a_subscription_world(), failing("DeveloperAccount", "no buyer plan"))
    found = condition_of(decision, Type.ACCOUNT_READY)
    assert (found.reason, "no buyer plan" in found.message) == ("AccountFailed", True)


def test_3scales_own_words_about_a_key_are_told() -> None:
    decision = settle(decide, a_subscription_world(), failing("ApplicationAuth", "user_key is invalid"))
    found = condition_of(decision, Type.KEY_READY)
    assert (found.reason, "user_key is invalid" in found.message) == ("KeyFailed", True)


@pytest.mark.parametrize(
    ("state", "type_", "reason", "lives"),
    [
        ("pending", Type.APPROVED, "ApprovalPending", "Pending"),
        ("suspended", Type.APPROVED, "Suspended", "Suspended"),
    ],
)
def test_an_application_that_is_not_live_gives_no_key(state: str, type_: Type, reason: str, lives: str) -> None:
    answer = worlds.but(
        "Application",
        lambda one: worlds.with_status(
            one, observedGeneration=1, applicationID=6, state=state, conditions=[worlds.condition("Ready")]
        ),
    )
    decision = settle(decide, a_subscription_world(), answer)
    assert told(decision, type_) == ("False", reason)
    assert "tiny-dev1-key" not in names(decision, "Secret")
    assert decision.status["state"] == lives


def test_a_given_password_is_taken_from_its_secret() -> None:
    secrets = {GIVEN: worlds.stored(password="correct horse battery")}
    decision = settle(decide, a_subscription_world(a_subscription(**WITH_PASSWORD), secrets=secrets))
    assert values(decision, "llm.dev1.password") == {"password": "correct horse battery"}


@pytest.mark.parametrize(
    ("secrets", "reason"),
    [
        ({}, "PasswordMissing"),
        ({GIVEN: worlds.stored(other="x")}, "PasswordMissing"),
        ({GIVEN: worlds.stored(password="short")}, "PasswordTooShort"),
    ],
)
def test_a_password_that_3scale_would_refuse_is_told_and_no_user_is_made(
    secrets: dict[Ref, worlds.StoredSecret], reason: str
) -> None:
    decision = settle(decide, a_subscription_world(a_subscription(**WITH_PASSWORD), secrets=secrets))
    assert told(decision, Type.STALLED) == ("True", reason)
    assert not {"DeveloperUser", "DeveloperAccount", "Application"} & set(kinds(decision))
    assert kept(decision) >= {"DeveloperUser", "DeveloperAccount", "Application"}


def test_what_sends_no_events_is_looked_at_more_often_than_what_a_watch_tells_of() -> None:
    assert settle(decide, a_subscription_world()).wake_after is None
    unseen = (
        settle(decide, a_subscription_world(a_subscription(**WITH_PASSWORD))),
        accepting("3scale is down"),
    )
    assert [decision.wake_after for decision in unseen] == [POLL, POLL]
    watched = (
        settle(decide, a_subscription_world(), failing("DeveloperAccount", "no such plan")),
        settle(decide, a_subscription_world(service=None)),
        accepting(""),
    )
    assert [decision.wake_after for decision in watched] == [PATIENCE, PATIENCE, PATIENCE]


def test_the_oldest_subscription_decides_the_accounts_user() -> None:
    elder = a_subscription("elder", meta={"creationTimestamp": "2025-01-01T00:00:00Z"})
    mine = a_subscription(user={"username": "other", "email": "other@example.com"})
    decision = settle(decide, a_subscription_world(mine, siblings=(mine, elder)))
    assert told(decision, Type.STALLED) == ("True", "AccountMismatch")
    assert "elder" in condition_of(decision, Type.ACCOUNT_READY).message


def test_accounts_belong_to_the_namespace_and_not_to_one_subscription() -> None:
    decision = settle(decide, a_subscription_world())
    account = next(one for one in decision.children if one["kind"] == "DeveloperAccount")
    assert account["metadata"]["name"] == "llm.dev1"
    assert account["metadata"]["labels"]["maas-operator.io/owner-uid"] == "uid-llm"
    assert account["metadata"]["labels"]["maas-operator.io/owner-kind"] == "Namespace"


@pytest.mark.parametrize(("staying", "dropped"), [(1, 0), (0, 4)])
def test_the_last_subscription_to_leave_takes_the_account_along(staying: int, dropped: int) -> None:
    leaving = a_subscription(meta={"deletionTimestamp": "2026-01-01T11:59:00Z"})
    siblings = (a_subscription("other"),) * staying
    decision = decide(a_subscription_world(leaving, siblings=siblings))
    assert len(decision.drop) == dropped
    assert set(decision.drop.values()) <= {"uid-llm"}
    assert decision.children == ()


def test_leaving_says_what_it_waits_for_in_3scales_words() -> None:
    leaving = a_subscription(meta={"deletionTimestamp": "2026-01-01T11:59:00Z"})
    stuck = worlds.child(
        "Application",
        "llm.tiny-dev1",
        observedGeneration=1,
        conditions=[{"type": "Ready", "status": "False", "message": "dial tcp: connection refused"}],
    )
    decision = decide(a_subscription_world(leaving, siblings=(), remaining=(stuck,)))
    message = condition_of(decision, Type.READY).message
    assert "Application 3scale/llm.tiny-dev1" in message
    assert "connection refused" in message


def test_a_subscription_whose_children_are_out_of_reach_is_not_let_go() -> None:
    left = {"children": [{"apiVersion": "v1", "kind": "Secret", "namespace": "3scale", "name": "x"}]}
    leaving = a_subscription(meta={"deletionTimestamp": "2026-01-01T11:59:00Z"}, status=left)
    decision = decide(a_subscription_world(leaving, siblings=(), threescale_namespaces=frozenset()))
    assert not decision.releasable
    assert "namespace 3scale" in condition_of(decision, Type.READY).message


def test_another_namespaces_model_is_out_of_reach() -> None:
    subscription = a_subscription(modelRef={"namespace": "victim", "name": "tiny"})
    decision = settle(decide, a_subscription_world(subscription))
    assert told(decision, Type.STALLED) == ("True", "AccessDenied")
    assert decision.children == ()


def test_a_missing_model_is_named_and_ends_the_access() -> None:
    entries = [
        {"apiVersion": "capabilities.3scale.net/v1beta1", "kind": kind, "namespace": "3scale", "name": "llm.tiny-dev1"}
        for kind in ("Application", "ApplicationAuth", "DeveloperAccount")
    ]
    subscription = a_subscription(status={"children": entries})
    decision = settle(decide, a_subscription_world(subscription, service=None, platform=None))
    assert told(decision, Type.MODEL_ACCEPTED) == ("False", "ModelMissing")
    assert kept(decision) == {"DeveloperAccount"}
    assert decision.prune


def test_a_model_without_its_platform_lets_nobody_in_and_names_it() -> None:
    decision = settle(decide, a_subscription_world(platform=None))
    assert told(decision, Type.MODEL_ACCEPTED) == ("False", "PlatformMissing")
    assert "ModelPlatform default" in condition_of(decision, Type.MODEL_ACCEPTED).message
    assert decision.children == ()


def test_a_model_that_is_being_deleted_takes_the_applications_of_its_product_along() -> None:
    service = a_service()
    leaving = service.metadata.model_copy(update={"deletion_timestamp": worlds.NOW})
    world = a_subscription_world(service=service.model_copy(update={"metadata": leaving}))
    decision = settle(decide, world)
    assert told(decision, Type.MODEL_ACCEPTED) == ("False", "ModelMissing")
    assert decision.children == ()


def test_an_unknown_plan_lists_the_known_ones() -> None:
    decision = settle(decide, a_subscription_world(a_subscription(plan="gold")))
    found = condition_of(decision, Type.MODEL_ACCEPTED)
    assert (found.reason, "standard" in found.message) == ("PlanMissing", True)


DEVELOPER = {"name": "dev1", "email": "dev1@example.com", "plan": "closed"}


@pytest.mark.parametrize("closed", [{"published": False}, {"approvalRequired": True}])
@pytest.mark.parametrize(
    ("developer", "name", "account", "granted"),
    [
        (DEVELOPER, "tiny-dev1", "dev1", True),
        (DEVELOPER, "tiny-dev2", "dev1", False),
        (DEVELOPER, "tiny-dev1", "someone", False),
        (DEVELOPER | {"plan": "standard"}, "tiny-dev1", "dev1", False),
        (DEVELOPER | {"name": "dev2"}, "tiny-dev1", "dev1", False),
    ],
)
def test_a_closed_plan_is_for_those_whom_the_models_owner_named(
    closed: dict[str, bool], developer: dict[str, str], name: str, account: str, granted: bool
) -> None:
    plans = [{"name": "standard"}, {"name": "closed", **closed}]
    service = a_service(plans=plans, developers=[developer], status={"url": "https://tiny.example.com/v1"})
    forged = {"apiVersion": "maas-operator.io/v1alpha1", "kind": "ModelService", "name": "tiny", "controller": True}
    owners = {"ownerReferences": [forged | {"uid": service.metadata.uid}]}
    subscription = a_subscription(name, meta=owners, plan="closed", account=account)
    decision = settle(decide, a_subscription_world(subscription, service=service))
    assert told(decision, Type.MODEL_ACCEPTED)[1] == ("Accepted" if granted else "PlanNotGranted")


def test_an_application_moves_to_a_plan_only_when_3scale_has_it() -> None:
    service = a_service(plans=[{"name": "gold"}], status={"url": "https://tiny.example.com/v1"})
    decision = settle(decide, a_subscription_world(a_subscription(plan="gold"), service=service))
    assert "Application" not in kinds(decision)
    assert kept(decision) >= {"Application"}


def test_a_secret_of_somebody_else_is_not_touched_and_named() -> None:
    def answer(one: Manifest) -> Manifest | Refusal:
        if one["metadata"]["name"] == "tiny-dev1-key":
            return Refusal(RefusalReason.CONFLICT, "Secret llm/tiny-dev1-key exists and is not ours")
        return worlds.content(one)

    decision = settle(decide, a_subscription_world(), answer)
    assert told(decision, Type.STALLED) == ("True", "Conflict")
    assert "llm/tiny-dev1-key" in condition_of(decision, Type.KEY_READY).message


def test_status_shows_of_a_key_only_its_first_characters() -> None:
    decision = settle(decide, a_subscription_world(secrets={KEY: worlds.stored(UserKey="canary-" + "s" * 30)}))
    assert decision.status["keys"] == [{"applicationID": 6, "prefix": "canary", "createdAt": "2025-12-31T12:00:00Z"}]
    shown = repr(decision.status) + repr(decision.conditions)
    assert "sss" not in shown


def test_a_world_does_not_show_its_secrets() -> None:
    world = a_subscription_world(secrets={KEY: worlds.stored(UserKey="canary")})
    assert "canary" not in repr(world)
    assert "fresh-key" not in repr(world)


def pending(**annotations: str) -> Manifest:
    """Return the Application as the cache has it while it waits for an approval."""
    waiting = worlds.child(
        "Application",
        "llm.tiny-dev1",
        observedGeneration=1,
        applicationID=6,
        state="pending",
        conditions=[worlds.condition("Ready")],
    )
    return waiting | {"metadata": waiting["metadata"] | {"annotations": annotations}}


def as_pending(one: Manifest) -> Manifest:
    return one | {"metadata": one["metadata"] | {"generation": 1}, "status": pending()["status"]}


def accepting(answer: str | None = None, **annotations: str) -> Decision:
    """Return the decision on an application that waits, after what 3scale said to our wish."""
    account = worlds.content(worlds.child("DeveloperAccount", "llm.dev1"))
    seen = {ref_of(one): one for one in (pending(**annotations), account)}
    world = a_subscription_world(seen=seen, accepted=answer)
    return settle(decide, world, worlds.but("Application", as_pending))


def accepted_mark(decision: Decision) -> str | None:
    application = next(one for one in decision.children if one["kind"] == "Application")
    mark: str | None = application["metadata"]["annotations"].get(ACCEPTED)
    return mark


def test_an_application_that_waits_is_to_be_accepted_by_its_own_number() -> None:
    decision = accepting()
    assert decision.accept == Acceptance(account_id=4, application_id=6)
    assert accepted_mark(decision) is None


def test_an_application_that_was_accepted_is_marked_so_that_the_3scale_operator_looks_again() -> None:
    decision = accepting("")
    assert decision.accept is None
    assert accepted_mark(decision) == "6"
    assert "waiting for the 3scale-operator" in condition_of(decision, Type.APPROVED).message


def test_an_application_is_accepted_once_and_keeps_its_mark() -> None:
    decision = accepting(**{ACCEPTED: "6"})
    assert decision.accept is None
    assert accepted_mark(decision) == "6"


def test_an_application_that_3scale_made_anew_is_accepted_again() -> None:
    assert accepting(**{ACCEPTED: "5"}).accept == Acceptance(account_id=4, application_id=6)


def test_why_3scale_accepts_nothing_is_told_in_its_words() -> None:
    decision = accepting("3scale answers 403: Access denied")
    found = condition_of(decision, Type.APPROVED)
    assert (found.reason, "Access denied" in found.message) == ("ApprovalPending", True)
    assert accepted_mark(decision) is None


def test_who_is_not_let_in_has_nothing_accepted() -> None:
    service = a_service(plans=[{"name": "standard", "approvalRequired": True}])
    seen = {ref_of(pending()): pending()}
    decision = settle(decide, a_subscription_world(service=service, seen=seen))
    assert told(decision, Type.MODEL_ACCEPTED) == ("False", "PlanNotGranted")
    assert decision.accept is None


URL = {"url": "https://tiny.example.com/v1", "modelName": "tiny"}


@pytest.mark.parametrize("policy", ["Paused", "Observe"])
def test_an_edit_of_a_model_that_is_not_active_reaches_no_consumer(policy: str) -> None:
    edited = {"name": "other", "source": worlds.SOURCE}
    service = a_service(managementPolicy=policy, model=edited, plans=[{"name": "premium"}], status=URL)
    application = worlds.child("Application", "llm.tiny-dev1") | {"spec": {"applicationPlanName": "standard"}}
    world = a_subscription_world(service=service, seen={ref_of(application): application})
    decision = settle(decide, world)
    assert told(decision, Type.MODEL_ACCEPTED) == ("True", "Accepted")
    (secret,) = [one for one in decision.children if "MODEL" in one.get("data", {})]
    assert b64decode(secret["data"]["MODEL"]).decode() == "tiny"


def test_a_model_that_is_not_active_lets_nobody_in_whom_its_spec_does_not() -> None:
    service = a_service(managementPolicy="Observe", plans=[{"name": "premium"}], status=URL)
    assert told(decide(a_subscription_world(service=service)), Type.MODEL_ACCEPTED) == ("False", "PlanMissing")
