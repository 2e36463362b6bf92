"""Who uses a tenant of 3scale: developer accounts, their users, applications and keys. Refuses what porta refuses."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from .catalogue import Catalogue, Plan, Product
from .errors import TAKEN, PortaError, invalid, not_found

_SHORTEST_PASSWORD: Final = 15
_LONGEST_NAME: Final = 255
_USERNAME: Final = re.compile(r"[A-Za-z0-9][\w.\-@+ ]{2,39}", re.ASCII)
_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")
_USER_KEY: Final = re.compile(r"[\w.\-]{1,256}|[A-Za-z0-9+/]{1,254}={0,2}", re.ASCII)
_APP_KEY: Final = re.compile(r"[\x21-\x7e]{5,255}")
_MOST_KEYS: Final = 5


@dataclass
class User:
    """A person who can log in to the portal."""

    id: int
    username: str
    email: str
    password: str
    role: str = "member"
    state: str = "pending"


@dataclass
class Account:
    """A group of developers."""

    id: int
    org_name: str
    state: str = "approved"
    billing: bool = True
    charging: bool = True
    users: dict[int, User] = field(default_factory=dict)


@dataclass
class Application:
    """A subscription of an account to a plan, with its keys."""

    id: int
    account_id: int
    product_id: int
    plan: Plan
    name: str
    description: str
    user_key: str
    application_id: str
    state: str
    keys: list[str] = field(default_factory=list)


class People:
    """The part of a tenant's Admin API that deals with accounts and applications."""

    def __init__(self, catalogue: Catalogue, ids: Iterator[int]) -> None:
        self.accounts: dict[int, Account] = {}
        self._applications: dict[int, Application] = {}
        self._catalogue = catalogue
        self._ids = ids

    @property
    def applications(self) -> dict[int, Application]:
        """The applications that are left: those of a deleted product are purged with it."""
        products = self._catalogue.products
        self._applications = {i: a for i, a in self._applications.items() if a.product_id in products}
        return self._applications

    # Accounts and users

    def sign_up(self, *, org_name: str, username: str, email: str, password: str) -> Account:
        """Create an account with its first admin; billing flags cannot be given here."""
        if not 1 <= len(org_name) <= _LONGEST_NAME:
            raise invalid(org_name="can't be blank")
        user = self._new_user(username, email, password)
        user.role, user.state = "admin", "active"
        account = Account(next(self._ids), org_name, users={user.id: user})
        self.accounts[account.id] = account
        return account

    def account(self, account_id: int) -> Account | None:
        """Return an account, or None."""
        return self.accounts.get(account_id)

    def delete_account(self, account_id: int) -> None:
        """Delete an account with its users and applications."""
        if account_id not in self.accounts:
            raise not_found()
        for application in [a for a in self.applications.values() if a.account_id == account_id]:
            self.delete_application(account_id, application.id)
        del self.accounts[account_id]

    def create_user(self, account: Account, *, username: str, email: str, password: str, role: str) -> User:
        """Add a user to an account; 422 for what porta does not accept."""
        user = self._new_user(username, email, password)
        user.role = role
        account.users[user.id] = user
        return user

    def rename_user(self, user: User, *, username: str, email: str) -> None:
        """Change a user's name and address; 422 if another one has them."""
        self._check_user(username, email, but=user.id)
        user.username, user.email = username, email

    def delete_user(self, account_id: int, user_id: int) -> None:
        """Delete a user; porta keeps the last admin of an account."""
        account = self.accounts.get(account_id)
        if account is None or user_id not in account.users:
            raise not_found()
        admins = [user.id for user in account.users.values() if user.role == "admin"]
        if admins == [user_id]:
            raise PortaError(403, {"status": "Forbidden"})
        del account.users[user_id]

    def _new_user(self, username: str, email: str, password: str) -> User:
        self._check_user(username, email)
        if len(password) < _SHORTEST_PASSWORD:
            raise invalid(password=f"is too short (minimum is {_SHORTEST_PASSWORD} characters)")
        return User(next(self._ids), username, email, password)

    def _check_user(self, username: str, email: str, *, but: int = 0) -> None:
        others = [user for account in self.accounts.values() for user in account.users.values() if user.id != but]
        if not _USERNAME.fullmatch(username):
            raise invalid(username="use only letters, numbers, and .-_@+")
        if not _EMAIL.fullmatch(email):
            raise invalid(email="should look like an email address")
        if any(user.username == username for user in others):
            raise invalid(username=TAKEN)
        if any(user.email == email for user in others):
            raise invalid(email=TAKEN)

    # Applications and keys

    def create_application(
        self, account_id: int, product: Product, plan: Plan, *, name: str, description: str, user_key: str = ""
    ) -> Application:
        """Create an application with random keys, unless one is given; pending if its plan needs approval."""
        if account_id not in self.accounts:
            raise not_found()
        if not name or not description:
            raise invalid(name="can't be blank")
        if user_key:
            self._check_user_key(product.id, user_key)
        number = next(self._ids)
        application = Application(
            id=number, account_id=account_id, product_id=product.id, plan=plan, name=name, description=description,
            user_key=user_key or hashlib.md5(f"{number}".encode(), usedforsecurity=False).hexdigest(),
            application_id=hashlib.sha256(f"{number}".encode()).hexdigest()[:8],
            state="pending" if plan.approval_required else "live",
        )  # fmt: skip
        self._applications[number] = application
        self._count(plan, 1)
        return application

    def change_plan(self, application: Application, plan: Plan) -> None:
        """Move an application to another plan of its product."""
        self._count(application.plan, -1)
        self._count(plan, 1)
        application.plan = plan

    def delete_application(self, account_id: int, application_id: int) -> None:
        """Delete an application; 404 if the account has no such one."""
        application = self.applications.get(application_id)
        if application is None or application.account_id != account_id:
            raise not_found()
        self._count(application.plan, -1)
        del self._applications[application_id]

    def set_user_key(self, application: Application, user_key: str) -> None:
        """Replace the user key: the old one stops at once."""
        self._check_user_key(application.product_id, user_key, but=application.id)
        application.user_key = user_key

    def add_key(self, application: Application, key: str) -> None:
        """Add an application key; porta keeps at most five."""
        if not _APP_KEY.fullmatch(key):
            raise invalid(value="is invalid")
        if key in application.keys:
            raise invalid(value=TAKEN)
        if len(application.keys) >= _MOST_KEYS:
            raise invalid(base="Limit reached")
        application.keys.append(key)

    def _check_user_key(self, product_id: int, key: str, *, but: int = 0) -> None:
        if not _USER_KEY.fullmatch(key):
            raise invalid(user_key="is invalid")
        for other in self.applications.values():
            if other.product_id == product_id and other.user_key == key and other.id != but:
                raise invalid(user_key=TAKEN)

    def _count(self, plan: Plan, by: int) -> None:
        self._catalogue.contracts[plan.id] = self._catalogue.contracts.get(plan.id, 0) + by
