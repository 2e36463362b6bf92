"""What a MinIO keeps on its volume: buckets, users and policies, and who may do what."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any


class Refused(Exception):
    """What `mc` prints before it ends with 1."""


@dataclass
class Bucket:
    """Objects by their names, and the most that they may take."""

    objects: dict[str, bytes] = field(default_factory=dict)
    quota: int = 0


@dataclass
class User:
    """A key, and the names of what it may."""

    secret: str
    policies: set[str] = field(default_factory=set)


@dataclass
class Store:
    """One volume's content. `jobs` counts the scripts that ran to their end."""

    buckets: dict[str, Bucket] = field(default_factory=dict)
    users: dict[str, User] = field(default_factory=dict)
    policies: dict[str, Mapping[str, Any]] = field(default_factory=dict)

    def make_bucket(self, name: str) -> None:
        """Make a bucket, if it is not there."""
        self.buckets.setdefault(name, Bucket())

    def remove_bucket(self, name: str) -> None:
        """Remove a bucket with all that is in it; one that is not there is no fault with --force."""
        self.buckets.pop(name, None)

    def set_quota(self, bucket: str, size: int) -> None:
        """Set a bucket's hard quota; 0 is none."""
        if bucket not in self.buckets:
            raise Refused("Unable to set bucket quota. The specified bucket does not exist.")
        self.buckets[bucket].quota = size

    def create_policy(self, name: str, text: str) -> None:
        """Create or replace a policy; MinIO refuses one without statements."""
        try:
            policy = json.loads(text)
        except ValueError as error:
            raise Refused(f"Unable to create new policy: {error}.") from error
        if policy.get("Version") != "2012-10-17" or not policy.get("Statement"):
            raise Refused("Unable to create new policy: policy must not be empty.")
        self.policies[name] = policy

    def remove_policy(self, name: str) -> None:
        """Remove a policy; one that is not there is no fault, one that a user has is."""
        if any(name in user.policies for user in self.users.values()):
            raise Refused("Unable to remove policy. The specified policy is in use and cannot be deleted.")
        self.policies.pop(name, None)

    def add_user(self, name: str, secret: str) -> None:
        """Add a user, or give one another secret; what it may stays."""
        if len(name) < 3 or len(secret) < 8:
            raise Refused("Unable to add new user. The access key or secret key is invalid.")
        if name in self.users:
            self.users[name].secret = secret
        else:
            self.users[name] = User(secret)

    def remove_user(self, name: str) -> None:
        """Remove a user, who must be there."""
        if name not in self.users:
            raise Refused(f"Unable to remove {name}. The specified user does not exist.")
        del self.users[name]

    def attach(self, policy: str, user: str) -> None:
        """Let a user do what a policy says."""
        if policy not in self.policies:
            raise Refused("Unable to make user/group policy association. The canned policy does not exist.")
        if user not in self.users:
            raise Refused("Unable to make user/group policy association. The specified user does not exist.")
        self.users[user].policies.add(policy)

    def may(self, user: str, secret: str, action: str, resource: str) -> bool:
        """Tell whether a key may do something, such as s3:GetObject on bucket/path."""
        known = self.users.get(user)
        if known is None or known.secret != secret:
            return False
        statements = [one for name in known.policies for one in self.policies[name]["Statement"]]
        allowed = defaultdict[str, bool](bool)
        for one in statements:
            fits = any(fnmatchcase(action, pattern) for pattern in one["Action"])
            there = any(fnmatchcase(f"arn:aws:s3:::{resource}", pattern) for pattern in one["Resource"])
            allowed[one["Effect"]] |= fits and there
        return allowed["Allow"] and not allowed["Deny"]
