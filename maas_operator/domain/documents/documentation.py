"""The document of a model on its way to the developer portal, and DocumentationReady: how far it has come.

It acts at once, and is no part of what is promoted. What is published stays while its successor can not be.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from maas_operator.api.documents import DocumentMode
from maas_operator.api.reasons import ConditionType, Reason
from maas_operator.domain.conditions import Condition, Verdict, decide_condition, false, refused, true
from maas_operator.domain.decision import ChildState
from maas_operator.domain.emitted import digest
from maas_operator.domain.gateway.drift import with_correction
from maas_operator.domain.gateway.publication import Publication
from maas_operator.domain.gateway.status import product_state
from maas_operator.domain.kinds import ACTIVE_DOC, SECRET
from maas_operator.domain.names import DOCUMENT_INFIX, active_doc_ref, document_ref
from maas_operator.domain.objects import Manifest, Ref, ref_of

from .active_doc import active_doc, active_doc_state, document_secret, invalid_since
from .generated import generated
from .own import Unfit, as_text, own


@dataclass(frozen=True, kw_only=True)
class Documentation:
    """What is told of one model, and how far that has come.

    `config_map`: the one of spec.api.openAPI.configMapRef, if the mode asks for it and it is there.
    """

    publication: Publication
    config_map: Manifest | None

    @property
    def ref(self) -> Ref:
        """Return the address of the ActiveDoc."""
        return active_doc_ref(self.publication.service, self.publication.platform)

    @property
    def mode(self) -> DocumentMode:
        """Return where the document comes from."""
        return self.publication.service.spec.api.open_api.mode

    @property
    def source(self) -> str | None:
        """Return the user's own document as it was written; None if it is not there."""
        reference = self.publication.service.spec.api.open_api.config_map_ref
        assert reference is not None, "a rule of the schema: mode ConfigMap has one"
        found: str | None = ((self.config_map or {}).get("data") or {}).get(reference.key)
        return found

    @cached_property
    def text(self) -> str | Unfit | None:
        """Return the document; Unfit if it can not be published, None if it is not there or can not be written yet."""
        url = self.publication.url
        if url is None or self.mode is DocumentMode.NONE:
            return None
        base = url.removesuffix("/v1")
        if self.mode is DocumentMode.GENERATED:
            return as_text(generated(self.publication.service, self.publication.platform, base))
        document = own(self.source, base) if self.source is not None else None
        return as_text(document) if isinstance(document, dict) else document

    @property
    def needs_name(self) -> bool:
        """Tell whether the document is about to be written for the first time, so that its name must be free.

        Asked before the pass has written anything.
        """
        world = self.publication.world
        # Settled services come through here in each pass: the document is put together only for those that lack it.
        if self.ref in world.seen or not product_state(world.seen.get(self.publication.product_ref)).synced:
            return False
        return not self.publication.is_held and isinstance(self.text, str)

    def children(self) -> Iterable[Manifest]:
        """Return what can be written now, in order."""
        publication = self.publication
        if publication.is_held or not publication.product.synced or not isinstance(self.text, str):
            return
        current = publication.world.seen.get(self.ref)
        if current is None and not publication.remote.document_is_free:
            return
        yield document_secret(publication.service, publication.platform, self.text)
        if self.secret_ref(self.text) in publication.world.children.live:
            rendered = active_doc(publication.service, publication.platform, self.secret_ref(self.text))
            # The 3scale-operator does not try an invalid one again, be it that it did not see the Secret yet.
            since = max(invalid_since(current), self._edited_at)
            yield with_correction(rendered, current, datetime.fromisoformat(since) if since else None)

    def keep(self) -> frozenset[Ref]:
        """Return what stays as it is: all that is there, until its successor is in 3scale's hands."""
        if self.mode is DocumentMode.NONE or self._is_written:
            return frozenset()
        told = self.publication.service.status.children
        secrets = [Ref(SECRET, one.namespace, one.name) for one in told if one.kind == SECRET.name]
        return frozenset({self.ref, *(ref for ref in secrets if DOCUMENT_INFIX in ref.name)})

    @property
    def condition(self) -> Condition:
        """Decide DocumentationReady."""
        published = self.publication.service.spec.api.open_api.published
        return decide_condition(
            ConditionType.DOCUMENTATION_READY,
            (
                _leaving,
                _off,
                _gateway_not_ready,
                _route_missing,
                _document_missing,
                _document_unfit,
                _barred,
                _refused,
                _not_published,
            ),
            self,
            otherwise=true(
                Reason.READY, "the developer portal has the document" if published else "3scale has it, unpublished"
            ),
        )

    @property
    def state(self) -> ChildState:
        """Return what 3scale says of the document as this pass wrote it."""
        found = self.publication.world.children.get(self.ref)
        return active_doc_state(found) if found else ChildState(ready=False)

    def secret_ref(self, text: str) -> Ref:
        """Return the address of the Secret of a document."""
        return document_ref(self.publication.service, self.publication.platform, digest(text))

    @property
    def _edited_at(self) -> str:
        at = self.publication.remote.edited_at.get(ACTIVE_DOC.name)
        return f"{at:%Y-%m-%dT%H:%M:%SZ}" if at else ""

    @property
    def _is_written(self) -> bool:
        return self.ref in self.publication.world.children.live


def _leaving(documentation: Documentation) -> Verdict | None:
    """Tell what keeps a document in 3scale that is not wanted there any more."""
    world = documentation.publication.world
    if not any(ref_of(one) == documentation.ref for one in world.remaining):
        return None
    words = world.withheld.get(documentation.ref)
    return false(Reason.DELETING, f"waiting for {documentation.ref} to be deleted{f': {words}' if words else ''}")


def _off(documentation: Documentation) -> Verdict | None:
    if documentation.mode is not DocumentMode.NONE:
        return None
    return true(Reason.DOCUMENTATION_OFF, "spec.api.openAPI.mode is None")


def _gateway_not_ready(documentation: Documentation) -> Verdict | None:
    publication = documentation.publication
    if publication.is_held or not publication.product.synced:
        return false(Reason.WAITING, "waiting for GatewayReady")
    return None


def _route_missing(documentation: Documentation) -> Verdict | None:
    if documentation.publication.url:
        return None
    return false(Reason.ROUTE_MISSING, "the document tells the public URL, and there is none yet: see Live")


def _document_missing(documentation: Documentation) -> Verdict | None:
    if documentation.text is not None:
        return None
    what = "it has no such key: add it" if documentation.config_map else "there is no such ConfigMap: create it"
    return false(Reason.DOCUMENT_MISSING, f"{_named(documentation)}: {what}")


def _document_unfit(documentation: Documentation) -> Verdict | None:
    if not isinstance(documentation.text, Unfit):
        return None
    return false(Reason.DOCUMENT_INVALID, f"{_named(documentation)}: {documentation.text.message}")


def _named(documentation: Documentation) -> str:
    service = documentation.publication.service
    reference = service.spec.api.open_api.config_map_ref
    assert reference is not None, "a rule of the schema: mode ConfigMap has one"
    return f"ConfigMap {service.metadata.namespace}/{reference.name}, key {reference.key}"


def _barred(documentation: Documentation) -> Verdict | None:
    return documentation.publication.remote.document_barrier


def _refused(documentation: Documentation) -> Verdict | None:
    text = documentation.text
    assert isinstance(text, str), "the policies before have told about any other"
    refs = (documentation.secret_ref(text), documentation.ref)
    return refused(documentation.publication.world.children, refs)


def _not_published(documentation: Documentation) -> Verdict | None:
    state, ref = documentation.state, documentation.ref
    if state.ready:
        return None
    if state.failed:
        reason = Reason.DOCUMENT_INVALID if state.reason == "Invalid" else Reason.DOCUMENTATION_FAILED
        return false(reason, f"{ref}: 3scale says: {state.message}")
    return false(Reason.DOCUMENTATION_PENDING, f"waiting for {ref}{f': {state.message}' if state.message else ''}")
