"""The Jobs' scripts in a real shell, with an `mc` that writes down how it is called: quoting, secrets and repeats."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from maas_operator.domain.minio.scripts import provision, revoke

SH = shutil.which("sh") or "/bin/sh"
_MC = """#!/bin/sh
{ printf 'mc'; for word in "$@"; do printf '\\037%s' "$word"; done; printf '\\n'; } >> "$CALLS"
case "$1 $2 $3" in
  "alias set store" | "admin user add") cat >> "$STDIN" ;;
  "admin policy create") cat "$6" >> "$POLICIES" ;;
esac
case "$*" in *"$FAILS"*) echo "mc: <ERROR> Access Denied." >&2; exit 1 ;; esac
"""
HOSTILE = "x'; touch pwned; $(touch pwned) `touch pwned` \" $HOME \\ * &"
ENV = {
    "ROOT_USER": "root",
    "ROOT_PASSWORD": "root-password",
    "ACCESS_KEY": "tiny-0123456789abcdef",
    "SECRET_KEY": "secret-of-tiny",
    "STORE_URL": "http://minio.minio.svc:9000",
    "BUCKET": "tiny-0123456789abcdef",
    "POLICY": '{"Version":"2012-10-17"}',
    "QUOTA": "1073741824",
}
SCRIPTS = {
    "a bucket with a quota": provision(has_quota=True),
    "a bucket without": provision(has_quota=False),
    "a key": revoke(with_data=False),
    "a key and its data": revoke(with_data=True),
}


@dataclass
class Sandbox:
    """A folder in which scripts run; `calls` and what `mc` was told."""

    folder: Path

    def run(self, script: str, *, fails: str = "nothing fails", **env: str) -> subprocess.CompletedProcess[str]:
        binary = self.folder / "bin"
        binary.mkdir(exist_ok=True)
        (binary / "mc").write_text(_MC)
        (binary / "mc").chmod(0o755)
        known = {"PATH": f"{binary}:{os.environ['PATH']}", "FAILS": fails}
        known |= {name: str(self.folder / name.lower()) for name in ("CALLS", "STDIN", "POLICIES")}
        # The path is the container's: here it is a folder of the test.
        text = script.replace("/tmp/", f"{self.folder}/")
        command = [SH, "-c", text]
        return subprocess.run(command, env=known | ENV | env, cwd=self.folder, capture_output=True, text=True)

    def calls(self) -> list[list[str]]:
        lines = (self.folder / "calls").read_text().splitlines()
        return [line.replace(f"{self.folder}/", "/tmp/").split("\x1f")[1:] for line in lines]

    def text(self, name: str) -> str:
        return (self.folder / name).read_text()


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    return Sandbox(tmp_path)


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
def test_a_shell_understands_the_script(script: str) -> None:
    assert subprocess.run([SH, "-n", "-c", script], capture_output=True, check=False).returncode == 0


def test_a_bucket_is_made_with_quota_policy_and_user(sandbox: Sandbox) -> None:
    assert sandbox.run(provision(has_quota=True)).returncode == 0
    bucket = ENV["BUCKET"]
    assert sandbox.calls() == [
        ["alias", "set", "store", ENV["STORE_URL"]],
        ["mb", "--ignore-existing", f"store/{bucket}"],
        ["quota", "set", f"store/{bucket}", "--size", "1073741824"],
        ["admin", "policy", "create", "store", bucket, "/tmp/policy.json"],
        ["admin", "user", "add", "store", bucket],
        ["admin", "policy", "attach", "store", bucket, "--user", bucket],
    ]
    assert sandbox.text("stdin") == "root\nroot-password\nsecret-of-tiny\n"
    assert sandbox.text("policies") == ENV["POLICY"]


def test_data_goes_last_and_only_where_it_is_to_go(sandbox: Sandbox) -> None:
    assert sandbox.run(revoke(with_data=False)).returncode == 0
    kept = sandbox.calls()
    assert [call[:3] for call in kept[1:]] == [
        ["admin", "user", "add"],
        ["admin", "user", "remove"],
        ["admin", "policy", "remove"],
    ]
    (sandbox.folder / "calls").unlink()
    assert sandbox.run(revoke(with_data=True)).returncode == 0
    assert sandbox.calls() == [*kept, ["rb", "--force", f"store/{ENV['BUCKET']}"]]


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
def test_no_secret_stands_in_a_command_line(sandbox: Sandbox, script: str) -> None:
    sandbox.run(script)
    words = [word for call in sandbox.calls() for word in call]
    assert not [word for word in words if ENV["ROOT_PASSWORD"] in word or ENV["SECRET_KEY"] in word]


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
def test_mc_is_given_no_credentials_that_it_would_print(sandbox: Sandbox, script: str) -> None:
    for env in ({"ROOT_USER": "ab"}, {"ROOT_PASSWORD": "canary7"}):
        ended = sandbox.run(script, **env)
        assert ended.returncode == 1
        assert "too short" in ended.stderr
        assert "canary7" not in ended.stdout + ended.stderr
    assert not (sandbox.folder / "calls").exists()


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
@pytest.mark.parametrize("name", ENV)
def test_no_value_becomes_source(sandbox: Sandbox, script: str, name: str) -> None:
    assert sandbox.run(script, **{name: HOSTILE}).returncode == 0
    assert not (sandbox.folder / "pwned").exists()
    known = sandbox.text("stdin") + "".join(word for call in sandbox.calls() for word in call)
    known += sandbox.text("policies") if "POLICY" in script else ""
    assert HOSTILE in known or f'"${name}"' not in script


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
def test_a_script_ends_at_the_first_error_and_says_what_mc_said(sandbox: Sandbox, script: str) -> None:
    ended = sandbox.run(script, fails="admin policy")
    assert ended.returncode != 0
    assert "Access Denied" in ended.stderr
    assert sandbox.calls()[-1][:2] == ["admin", "policy"]


@pytest.mark.parametrize("name", ["ROOT_USER", "ROOT_PASSWORD", "ACCESS_KEY", "SECRET_KEY", "BUCKET"])
@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
def test_a_script_whose_values_are_missing_calls_nothing(sandbox: Sandbox, script: str, name: str) -> None:
    for ended in (sandbox.run(f"unset {name}\n{script}"), sandbox.run(script, **{name: ""})):
        assert ended.returncode != 0
        assert name in ended.stderr
    assert not (sandbox.folder / "calls").exists()
