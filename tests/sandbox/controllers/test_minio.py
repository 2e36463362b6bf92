"""The MinIO that stands in is as strict as the original, and its shell refuses what no Job should run."""

from __future__ import annotations

import pytest

from maas_operator.domain.minio.jobs import policy
from maas_operator.domain.minio.scripts import provision, revoke
from maas_operator.sandbox.controllers.minio.shell import BadScript, Shell
from maas_operator.sandbox.controllers.minio.store import Refused, Store

ENV = {
    "ROOT_USER": "root",
    "ROOT_PASSWORD": "root-password",
    "ACCESS_KEY": "tiny-01",
    "SECRET_KEY": "secret-of-tiny",
    "STORE_URL": "http://minio.minio.svc:9000",
    "BUCKET": "tiny-01",
    "POLICY": policy("tiny-01"),
    "QUOTA": "1024",
    "MC_CONFIG_DIR": "/tmp/.mc",
}


def run(store: Store, script: str, **env: str) -> None:
    def opened(url: str, user: str, password: str) -> Store:
        if (url, user, password) != (ENV["STORE_URL"], "root", "root-password"):
            raise Refused("Access Denied.")
        return store

    Shell(ENV | env, opened).run(script)


def test_a_script_may_run_again_and_what_it_made_may_be_taken_away_twice() -> None:
    store = Store()
    for _ in range(2):
        run(store, provision(has_quota=True))
    assert store.buckets["tiny-01"].quota == 1024
    assert store.may("tiny-01", "secret-of-tiny", "s3:GetObject", "tiny-01/a")
    for _ in range(2):
        run(store, revoke(with_data=True))
    assert store == Store()


def test_after_a_revocation_the_data_is_there_and_nobody_gets_in() -> None:
    store = Store()
    run(store, provision(has_quota=False))
    store.buckets["tiny-01"].objects["a"] = b""
    run(store, revoke(with_data=False))
    assert store.buckets["tiny-01"].objects
    assert not store.may("tiny-01", "secret-of-tiny", "s3:GetObject", "tiny-01/a")


def test_a_wrong_secret_opens_nothing() -> None:
    store = Store()
    run(store, provision(has_quota=False))
    assert not store.may("tiny-01", "another", "s3:GetObject", "tiny-01/a")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("mc mb $BUCKET", "not quoted"),
        ('mc mb "$(id)"', "not quoted"),
        ('mc mb "`id`"', "not quoted"),
        ('mc admin user add store "$ACCESS_KEY" "$SECRET_KEY"', "SECRET_KEY in a command line"),
        ('mc mb "store/$BUCKET"', "no such command"),
        ('mc mb --ignore-existing "store/$NOBODY"', "unbound variable"),
        ("curl http://example.com", "the image has no curl"),
        ('printf "$POLICY" > /tmp/a', "an odd printf"),
        ("printf '%s' \"$POLICY\" > /etc/a", "can not be written"),
    ],
)
def test_a_line_that_can_not_be_right_ends_the_script(line: str, words: str) -> None:
    with pytest.raises(BadScript, match=words):
        run(Store(), f"set -eu\n{line}\n")


def test_a_script_that_goes_on_after_an_error_is_none() -> None:
    with pytest.raises(BadScript, match="goes on"):
        run(Store(), 'mc mb --ignore-existing "store/$BUCKET"\n')


@pytest.mark.parametrize(
    ("env", "words"),
    [
        ({"ROOT_PASSWORD": "another-password"}, "Access Denied"),
        ({"SECRET_KEY": "short"}, "invalid"),
        ({"POLICY": "{}"}, "must not be empty"),
        ({"POLICY": "{"}, "Unable to create new policy"),
        ({"BUCKET": "Capital"}, "invalid characters"),
        ({"QUOTA": "much"}, "Unable to parse quota"),
    ],
)
def test_what_minio_refuses_ends_the_script(env: dict[str, str], words: str) -> None:
    with pytest.raises(Refused, match=words):
        run(Store(), provision(has_quota=True), **env)


@pytest.mark.parametrize("script", [provision(has_quota=True), revoke(with_data=True)])
def test_root_credentials_that_mc_would_print_are_not_given_to_it(script: str) -> None:
    for env in ({"ROOT_PASSWORD": "canary7"}, {"ROOT_USER": "ca"}):
        with pytest.raises(Refused, match="too short: it needs") as refused:
            run(Store(), script, **env)
        assert "ca" not in str(refused.value)
    begin = 'set -eu\nprintf \'%s\\n%s\\n\' "$ROOT_USER" "$ROOT_PASSWORD" | mc alias set store "$STORE_URL"\n'
    with pytest.raises(Refused, match="canary7"):
        run(Store(), begin, ROOT_PASSWORD="canary7")


def test_a_home_that_can_not_be_written_ends_the_script() -> None:
    env = {name: value for name, value in ENV.items() if name != "MC_CONFIG_DIR"}
    with pytest.raises(Refused, match="permission denied"):
        Shell(env, lambda url, user, password: Store()).run(provision(has_quota=False))


@pytest.mark.parametrize(
    "line",
    [
        'mc quota set "store/$BUCKET" --size "$QUOTA"',
        'mc admin user remove store "$ACCESS_KEY"',
        'mc admin policy attach store "$BUCKET" --user "$ACCESS_KEY"',
    ],
)
def test_what_is_not_there_can_not_be_changed(line: str) -> None:
    begin = 'set -eu\nprintf \'%s\\n%s\\n\' "$ROOT_USER" "$ROOT_PASSWORD" | mc alias set store "$STORE_URL"\n'
    with pytest.raises(Refused):
        run(Store(), begin + line)


def test_a_policy_that_somebody_has_stays() -> None:
    store = Store()
    run(store, provision(has_quota=False))
    with pytest.raises(Refused, match="in use"):
        store.remove_policy("tiny-01")
    with pytest.raises(Refused, match="user does not exist"):
        store.attach("tiny-01", "nobody")
