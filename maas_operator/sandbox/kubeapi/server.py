"""The HTTP side: URLs, bodies, query parameters and streams around the verbs of `api.py`."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import yaml
from aiohttp import web

from . import discovery, errors, reviews
from .api import Api, DeleteOptions, FieldValidation, WriteOptions
from .errors import ApiError
from .faults import Call, Faults, Verb
from .patch import PatchType
from .resources import Object, Resource
from .store import Key
from .table import table
from .watch import Message, Watch, WatchOptions

_JSON = "application/json"
_BODY_TYPES = (_JSON, "application/yaml", *(type_.value for type_ in PatchType))
_MAX_BODY = 3 * 1024 * 1024


@dataclass(frozen=True)
class Target:
    """What a URL points to."""

    resource: Resource
    namespace: str
    name: str
    subresource: str

    def call(self, verb: Verb, *, dry_run: bool = False) -> Call:
        """The call that a verb on this target is."""
        resource = self.resource
        return Call(verb, resource.group, resource.kind, self.namespace, self.name, self.subresource, dry_run=dry_run)


class Server:
    """The request handlers; `application()` is what aiohttp runs."""

    def __init__(self, api: Api, faults: Faults) -> None:
        self._api = api
        self._faults = faults

    def application(self) -> web.Application:
        """The aiohttp application."""
        application = web.Application(middlewares=[_as_status], client_max_size=_MAX_BODY)
        application.router.add_get("/{probe:healthz|readyz|livez}", _probe)
        application.router.add_get("/version", _answering(lambda: discovery.VERSION))
        application.router.add_get("/openapi/v3", _answering(lambda: discovery.openapi_index(self._api.registry)))
        application.router.add_get("/openapi/v3/{kind:apis?}/{version:.+}", self._openapi)
        application.router.add_get("/api", _answering(discovery.core_versions))
        application.router.add_get("/apis", _answering(lambda: discovery.group_list(self._api.registry)))
        application.router.add_get("/apis/{group}", self._group)
        application.router.add_get("/api/{version}", self._resources)
        application.router.add_get("/apis/{group}/{version}", self._resources)
        application.router.add_route("*", "/api/{version}/{rest:.+}", self._handle)
        application.router.add_route("*", "/apis/{group}/{version}/{rest:.+}", self._handle)
        return application

    # --- discovery -------------------------------------------------------------------------------------------------

    async def _openapi(self, request: web.Request) -> web.Response:
        return await _reply(request, discovery.openapi(self._api.registry, request.match_info["version"]))

    async def _group(self, request: web.Request) -> web.Response:
        found = discovery.group(self._api.registry, request.match_info["group"])
        if not found["versions"]:
            raise errors.no_such_resource()
        return await _reply(request, found)

    async def _resources(self, request: web.Request) -> web.Response:
        group, version = request.match_info.get("group", ""), request.match_info["version"]
        found = discovery.resource_list(self._api.registry, f"{group}/{version}" if group else version)
        if not found["resources"]:
            raise errors.no_such_resource()
        return await _reply(request, found)

    # --- objects ---------------------------------------------------------------------------------------------------

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        group, version = request.match_info.get("group", ""), request.match_info["version"]
        namespace, plural, name, subresource = split_path(request.match_info["rest"])
        if request.method == "POST":
            answered = await _review(request, group, plural, name, subresource)
            if answered is not None:
                return answered
        target = Target(self._api.registry.find(group, version, plural), namespace, name, subresource)
        _check_subresource(target)
        handlers = self._item_handlers() if name else self._collection_handlers()
        handler = handlers.get(request.method)
        if handler is None:
            raise errors.method_not_allowed()
        return await handler(request, target)

    def _item_handlers(self) -> Mapping[str, Handler]:
        return {"GET": self._get, "PUT": self._update, "PATCH": self._patch, "DELETE": self._delete}

    def _collection_handlers(self) -> Mapping[str, Handler]:
        return {"GET": self._list, "POST": self._create}

    async def _get(self, request: web.Request, target: Target) -> web.StreamResponse:
        found = await self._faults.around(
            target.call(Verb.GET),
            lambda: self._api.get(target.resource, target.namespace, target.name, target.subresource),
        )
        return await _reply(request, _as_asked(request, target.resource, found))

    async def _list(self, request: web.Request, target: Target) -> web.StreamResponse:
        if request.query.get("watch") in ("1", "true"):
            return await self._watch(request, target)
        query = request.query
        _check_version(self._api, query.get("resourceVersion", ""))
        listing = await self._faults.around(
            target.call(Verb.LIST),
            lambda: self._api.list(
                target.resource,
                target.namespace,
                labels=query.get("labelSelector", ""),
                fields=query.get("fieldSelector", ""),
                limit=_number(query, "limit"),
                token=query.get("continue", ""),
            ),
        )
        metadata: Object = {"resourceVersion": str(listing.version)}
        if listing.rest:
            metadata |= {"continue": listing.rest, "remainingItemCount": listing.remaining}
        if _wants_table(request):
            include = query.get("includeObject", "Metadata")
            return await _reply(request, table(target.resource, listing.objects, metadata, include=include))
        kind = f"{target.resource.kind}List"
        head = {"kind": kind, "apiVersion": target.resource.api_version, "metadata": metadata}
        return await _reply(request, {**head, "items": listing.objects})

    async def _create(self, request: web.Request, target: Target) -> web.StreamResponse:
        body, warnings = await _body(request), list[str]()
        options = _write_options(request, warnings)
        created = await self._faults.around(
            target.call(Verb.CREATE, dry_run=options.dry_run),
            lambda: self._api.create(target.resource, target.namespace, body, options),
        )
        return await _reply(
            request, _as_asked(request, target.resource, created), status=HTTPStatus.CREATED, warnings=warnings
        )

    async def _update(self, request: web.Request, target: Target) -> web.StreamResponse:
        body, warnings = await _body(request), list[str]()
        options = _write_options(request, warnings)
        updated = await self._faults.around(
            target.call(Verb.UPDATE, dry_run=options.dry_run),
            lambda: self._api.update(target.resource, target.namespace, target.name, body, options, target.subresource),
        )
        return await _reply(request, _as_asked(request, target.resource, updated), warnings=warnings)

    async def _patch(self, request: web.Request, target: Target) -> web.StreamResponse:
        type_, body, warnings = _patch_type(request), await _body(request), list[str]()
        options = _write_options(request, warnings)
        address = target.resource, target.namespace, target.name
        if type_ is PatchType.APPLY:
            _check_apply(request)
            is_new = self._api.store.get(Key(target.resource.storage, target.namespace, target.name)) is None
            written = await self._faults.around(
                target.call(Verb.APPLY, dry_run=options.dry_run),
                lambda: self._api.apply(*address, body, options, target.subresource),
            )
        else:
            is_new = False
            written = await self._faults.around(
                target.call(Verb.PATCH, dry_run=options.dry_run),
                lambda: self._api.patch(*address, type_, body, options, target.subresource),
            )
        status = HTTPStatus.CREATED if is_new else HTTPStatus.OK
        return await _reply(request, _as_asked(request, target.resource, written), status=status, warnings=warnings)

    async def _delete(self, request: web.Request, target: Target) -> web.StreamResponse:
        options = _delete_options(request, await _body(request) if request.can_read_body else {})
        left, is_gone = await self._faults.around(
            target.call(Verb.DELETE, dry_run=options.dry_run),
            lambda: self._api.delete(target.resource, target.namespace, target.name, options),
        )
        return await _reply(request, _deleted(target.resource, left) if is_gone else left)

    async def _watch(self, request: web.Request, target: Target) -> web.StreamResponse:
        options = _watch_options(request, target.namespace)
        watch = await self._faults.around(target.call(Verb.WATCH), lambda: Watch(self._api, target.resource, options))
        response = web.StreamResponse(headers={"Content-Type": _JSON})
        try:
            await response.prepare(request)
            async for message in watch.messages():
                await response.write(_line(request, target.resource, message))
        except ConnectionResetError:
            # The client went away, as watchers do.
            pass
        finally:
            watch.close()
        return response


Handler = Callable[[web.Request, Target], Awaitable[web.StreamResponse]]


def split_path(rest: str) -> tuple[str, str, str, str]:
    """Namespace, plural, name and subresource of the part of a URL behind the version."""
    parts = rest.strip("/").split("/")
    namespace = ""
    if parts[0] == "namespaces" and len(parts) > 2 and parts[2] not in ("status", "finalize"):
        namespace, parts = parts[1], parts[2:]
    plural, name, subresource = (*parts, "", "")[:3]
    return namespace, plural, name, subresource


def _check_subresource(target: Target) -> None:
    resource = target.resource
    served = {"": True, "status": resource.has_status, "scale": resource.scale is not None}
    if not served.get(target.subresource, False):
        raise errors.no_such_resource()


@web.middleware
async def _as_status(request: web.Request, handler: Callable[..., Any]) -> web.StreamResponse:
    """Every refusal is a Status; anything else that an interceptor raises breaks the connection."""
    try:
        response: web.StreamResponse = await handler(request)
    except ApiError as error:
        headers = {} if error.retry_after is None else {"Retry-After": str(error.retry_after)}
        return await _reply(request, error.status(), status=error.code, headers=headers)
    except web.HTTPException as error:
        refusal = ApiError(error.status, HTTPStatus(error.status).phrase.replace(" ", ""), error.reason)
        return await _reply(request, refusal.status(), status=error.status)
    except ConnectionError:
        if request.transport is not None:
            request.transport.abort()
        return web.Response()
    return response


async def _probe(_request: web.Request) -> web.Response:
    return web.Response(text="ok")


def _answering(answer: Callable[[], Any]) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def handle(request: web.Request) -> web.StreamResponse:
        return await _reply(request, answer())

    return handle


async def _reply(
    _request: web.Request,
    body: Any,
    *,
    status: int = HTTPStatus.OK,
    warnings: list[str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    response = web.Response(body=_dump(body), status=status, content_type=_JSON, headers=headers)
    for warning in warnings or ():
        response.headers.add("Warning", f"299 - {json.dumps(warning)}")
    return response


def _dump(body: Any) -> bytes:
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()


async def _body(request: web.Request) -> Any:
    if request.content_type not in _BODY_TYPES and request.content_type != "application/octet-stream":
        raise errors.unsupported_media_type(request.content_type, _BODY_TYPES)
    text = await request.text()
    try:
        return json.loads(text) if text[:1] in "{[" else yaml.safe_load(text)
    except (ValueError, yaml.YAMLError) as error:
        raise errors.bad_request(f"the body can not be read: {error}") from None


async def _review(request: web.Request, group: str, plural: str, name: str, subresource: str) -> web.Response | None:
    if (plural, subresource) == ("serviceaccounts", "token"):
        return await _reply(request, reviews.token(name), status=HTTPStatus.CREATED)
    answered = reviews.answer(group, plural)
    return None if answered is None else await _reply(request, answered, status=HTTPStatus.CREATED)


def _wants_table(request: web.Request) -> bool:
    return "as=Table" in request.headers.get("Accept", "")


def _as_asked(request: web.Request, resource: Resource, object_: Object) -> Object:
    if not _wants_table(request) or object_["kind"] != resource.kind:
        return object_
    metadata = {"resourceVersion": object_["metadata"]["resourceVersion"]}
    return table(resource, [object_], metadata, include=request.query.get("includeObject", "Metadata"))


def _line(request: web.Request, resource: Resource, message: Message) -> bytes:
    type_, object_ = message
    if type_ not in ("BOOKMARK", "ERROR"):
        object_ = _as_asked(request, resource, object_)
    return _dump({"type": type_, "object": object_}) + b"\n"


def _number(query: Mapping[str, str], name: str) -> int:
    text = query.get(name, "0")
    try:
        return int(text)
    except ValueError:
        raise errors.bad_request(f'unable to convert "{text}" to a number for {name}') from None


def _check_version(api: Api, asked: str) -> None:
    if not asked:
        return
    if not asked.isdigit():
        raise errors.bad_request(f'resourceVersion: Invalid value: "{asked}"')
    if int(asked) > api.store.version:
        message = f"Too large resource version: {asked}, current: {api.store.version}"
        details = {"causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]}
        raise ApiError(504, "Timeout", message, details, retry_after=1)


def _dry_run(values: list[str]) -> bool:
    if any(value != "All" for value in values):
        raise errors.bad_request(f'dryRun: Unsupported value: "{values[0]}": supported values: "All"')
    return bool(values)


def _write_options(request: web.Request, warnings: list[str]) -> WriteOptions:
    query = request.query
    agent = request.headers.get("User-Agent", "unknown").partition("/")[0]
    try:
        validation = FieldValidation(query.get("fieldValidation", "") or FieldValidation.WARN)
    except ValueError:
        raise errors.bad_request(f'fieldValidation: Unsupported value: "{query["fieldValidation"]}"') from None
    return WriteOptions(
        manager=query.get("fieldManager") or agent,
        dry_run=_dry_run(query.getall("dryRun", [])),
        validation=validation,
        force=query.get("force", "") in ("true", "1"),
        warn=warnings.append,
    )


def _check_apply(request: web.Request) -> None:
    if not request.query.get("fieldManager"):
        cause = errors.Cause("FieldValueRequired", "Required value: is required for apply patch", "fieldManager")
        text = f'PatchOptions.meta.k8s.io "" is invalid: fieldManager: {cause.message}'
        details = {"group": "meta.k8s.io", "kind": "PatchOptions", "causes": [cause.to_json()]}
        raise ApiError(422, "Invalid", text, details)


def _patch_type(request: web.Request) -> PatchType:
    try:
        return PatchType(request.content_type)
    except ValueError:
        raise errors.unsupported_media_type(request.content_type, [type_.value for type_ in PatchType]) from None


def _delete_options(request: web.Request, body: Any) -> DeleteOptions:
    given: Any = body or {}
    conditions = given.get("preconditions") or {}
    policy = given.get("propagationPolicy") or request.query.get("propagationPolicy") or "Background"
    if given.get("orphanDependents"):
        policy = "Orphan"
    dry_run: list[str] = given.get("dryRun") or list(request.query.getall("dryRun", []))
    return DeleteOptions(
        uid=conditions.get("uid") or "",
        resource_version=conditions.get("resourceVersion") or "",
        propagation=policy,
        dry_run=_dry_run(dry_run),
    )


def _deleted(resource: Resource, last: Object) -> Object:
    details = {"name": last["metadata"]["name"], "kind": resource.plural, "uid": last["metadata"]["uid"]}
    if resource.group:
        details["group"] = resource.group
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}


def _watch_options(request: web.Request, namespace: str) -> WatchOptions:
    query = request.query
    return WatchOptions(
        namespace=namespace,
        labels=query.get("labelSelector", ""),
        fields=query.get("fieldSelector", ""),
        version=query.get("resourceVersion", ""),
        timeout=float(_number(query, "timeoutSeconds") or 1800),
        bookmarks=query.get("allowWatchBookmarks", "") in ("true", "1"),
        initial_events=query.get("sendInitialEvents", "") in ("true", "1"),
    )
