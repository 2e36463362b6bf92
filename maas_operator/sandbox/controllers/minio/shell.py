"""Runs a Job's script as its container would, for the few forms that are right; every other one is refused.

An expansion outside of double quotes, a command that the image does not have, a flag that `mc` does not know and a
secret among arguments are faults of the script, and end it.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from .store import Refused, Store

_QUOTED: Final = re.compile(r"'[^']*'|\"[^\"]*\"")
_VARIABLE: Final = re.compile(r"\$([A-Z_]+)")
_DEMANDED: Final = re.compile(r"\$\{([A-Z_]+):\?\}")
_LONG_ENOUGH: Final = re.compile(r"""\[ "\$\{#([A-Z_]+)\}" -ge ([0-9]+) \] \|\| \{ echo '([^']+)' >&2; exit 1; \}""")
_SECRETS: Final = frozenset({"ROOT_PASSWORD", "SECRET_KEY"})


class BadScript(Exception):
    """A script that no operator should write."""


@dataclass
class Shell:
    """One run. `open_store` returns the store behind a URL for these root credentials, or raises Refused."""

    env: Mapping[str, str]
    open_store: Callable[[str, str, str], Store]
    files: dict[str, str] = field(default_factory=dict)
    aliases: dict[str, Store] = field(default_factory=dict)

    def run(self, script: str) -> None:
        """Run all lines; Refused as `mc` says it, BadScript if a line is none that can be right."""
        lines = [line for line in script.splitlines() if line.strip()]
        if not lines or lines[0] != "set -eu":
            raise BadScript("a script that goes on after an error")
        for line in lines[1:]:
            self._line(line)

    def _line(self, line: str) -> None:
        if line.startswith(": "):
            self._demand(line)
            return
        if (test := _LONG_ENOUGH.fullmatch(line)) is not None:
            if len(self.env[test[1]]) < int(test[2]):
                raise Refused(test[3])
            return
        if "$" in _QUOTED.sub("", line) or "`" in line or "$(" in line:
            raise BadScript(f"an expansion that is not quoted: {line}")
        words = shlex.shlex(line, posix=True, punctuation_chars=True)
        words.whitespace_split = True
        text, rest = "", list(words)
        if rest[0] == "printf":
            text, rest = self._printf(rest)
        if not rest:
            return
        if rest[0] != "mc":
            raise BadScript(f"the image has no {rest[0]}")
        self._refuse_secrets(rest)
        self._mc([self._expand(word) for word in rest[1:]], text)

    def _demand(self, line: str) -> None:
        for name in _DEMANDED.findall(line):
            if not self.env.get(name):
                raise BadScript(f"{name}: parameter null or not set")

    def _printf(self, words: list[str]) -> tuple[str, list[str]]:
        end = next((n for n, word in enumerate(words) if word in ("|", ">")), None)
        if end is None or words[1].replace("\\n", "") != "%s" * (end - 2):
            raise BadScript(f"an odd printf: {shlex.join(words)}")
        text = words[1].replace("\\n", "\n") % tuple(self._expand(word) for word in words[2:end])
        if words[end] == "|":
            return text, words[end + 1 :]
        (path,) = words[end + 1 :]
        if not path.startswith("/tmp/"):  # In the container, whose root nobody may write to.
            raise BadScript(f"a file that can not be written: {path}")
        self.files[path] = text
        return "", []

    def _refuse_secrets(self, words: Sequence[str]) -> None:
        if shown := _SECRETS & {name for word in words for name in _VARIABLE.findall(word)}:
            raise BadScript(f"{', '.join(shown)} in a command line")

    def _expand(self, word: str) -> str:
        def value(match: re.Match[str]) -> str:
            if match[1] not in self.env:
                raise BadScript(f"{match[1]}: unbound variable")
            return self.env[match[1]]

        return _VARIABLE.sub(value, word)

    def _mc(self, words: list[str], text: str) -> None:
        if "MC_CONFIG_DIR" not in self.env:
            raise Refused("Unable to save new mc config. mkdir /.mc: permission denied.")
        match words:
            case ["alias", "set", name, url]:
                user, password = text.splitlines()
                if len(password) < 8:
                    raise Refused(f"Invalid secret key `{password}`.")
                self.aliases[name] = self.open_store(url, user, password)
            case ["mb", "--ignore-existing", target]:
                self._of(target).make_bucket(_bucket(target))
            case ["rb", "--force", target]:
                self._of(target).remove_bucket(_bucket(target))
            case ["quota", "set", target, "--size", size]:
                self._of(target).set_quota(_bucket(target), _size(size))
            case ["quota", "clear", target]:
                self._of(target).set_quota(_bucket(target), 0)
            case ["admin", "policy", "create", name, policy, path]:
                self._of(name).create_policy(policy, self.files[path])
            case ["admin", "policy", "attach", name, policy, "--user", user]:
                self._of(name).attach(policy, user)
            case ["admin", "policy", "remove", name, policy]:
                self._of(name).remove_policy(policy)
            case ["admin", "user", "add", name, user]:
                self._of(name).add_user(user, text.splitlines()[0])
            case ["admin", "user", "remove", name, user]:
                self._of(name).remove_user(user)
            case _:
                raise BadScript(f"mc knows no such command: {shlex.join(words)}")

    def _of(self, target: str) -> Store:
        name = target.partition("/")[0]
        if name not in self.aliases:
            raise Refused(f"Unable to initialize admin connection. Requested path `{target}` not found.")
        return self.aliases[name]


def _bucket(target: str) -> str:
    name = target.partition("/")[2]
    if re.fullmatch(r"[a-z0-9][-a-z0-9.]{1,61}[a-z0-9]", name) is None:
        raise Refused(f"Unable to make bucket `{target}`. Bucket name contains invalid characters.")
    return name


def _size(text: str) -> int:
    if not text.isdecimal():
        raise Refused(f"Unable to parse quota: {text}.")
    return int(text)
