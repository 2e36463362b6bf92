"""Faults on purpose: a test can watch, delay or break each call to the API."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeVar

T = TypeVar("T")


class Verb(StrEnum):
    """What a call does."""

    GET = "get"
    LIST = "list"
    WATCH = "watch"
    CREATE = "create"
    UPDATE = "update"
    PATCH = "patch"
    APPLY = "apply"
    DELETE = "delete"

    @property
    def writes(self) -> bool:
        """True for calls that may change something."""
        return self not in (Verb.GET, Verb.LIST, Verb.WATCH)


class Moment(StrEnum):
    """When an interceptor is asked."""

    BEFORE = "before"
    AFTER = "after"


@dataclass(frozen=True)
class Call:
    """One call, as an interceptor sees it."""

    verb: Verb
    group: str
    kind: str
    namespace: str
    name: str
    subresource: str = ""
    moment: Moment = Moment.BEFORE
    dry_run: bool = False

    @property
    def writes(self) -> bool:
        """True if the call may change something."""
        return self.verb.writes and not self.dry_run


Interceptor = Callable[[Call], Awaitable[None]]
"""Asked before and after each call. To refuse, raise an `ApiError`; anything else raised breaks the connection."""


class Faults:
    """The interceptors of one API."""

    def __init__(self) -> None:
        self._interceptors: list[Interceptor] = []

    def add(self, interceptor: Interceptor) -> Callable[[], None]:
        """Ask `interceptor` from now on; return how to stop that."""
        self._interceptors.append(interceptor)
        return lambda: self._interceptors.remove(interceptor)

    async def around(self, call: Call, operation: Callable[[], T]) -> T:
        """Do the operation between the two moments."""
        await self._ask(call)
        result = operation()
        await self._ask(replace(call, moment=Moment.AFTER))
        return result

    async def _ask(self, call: Call) -> None:
        for interceptor in tuple(self._interceptors):
            await interceptor(call)
