"""What the 3scale-operator says of Product, Backend and promotion."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from maas_operator.domain.objects import Manifest
from maas_operator.domain.observed import is_fresh, status_of, true_conditions

_NO_CHANGES: Final = "no product changes detected"
_NOT_YET: Final = ("not ready", "not found")


class SyncPhase(StrEnum):
    """How far 3scale is with a Product or Backend."""

    SILENT = "Silent"
    """No status at all: the 3scale-operator does not run, does not watch, or has no provider account."""
    SYNCING = "Syncing"
    """It works on this generation, or waits for another object."""
    SYNCED = "Synced"
    """3scale has this generation."""
    INVALID = "Invalid"
    """It refuses this generation, and does not try again."""
    FAILED = "Failed"
    """It tries again, less and less often."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncState:
    """A Product's or Backend's state; `message` is 3scale's own text, `remote_id` None before it has an id."""

    phase: SyncPhase
    remote_id: int | None = None
    message: str = ""

    @property
    def synced(self) -> bool:
        """Tell whether 3scale has the object as it is now."""
        return self.phase is SyncPhase.SYNCED


def product_state(product: Manifest | None) -> SyncState:
    """Read a Product; None is one that does not exist yet."""
    return _sync_state(product, "productId")


def backend_state(backend: Manifest | None) -> SyncState:
    """Read a Backend; None is one that does not exist yet."""
    return _sync_state(backend, "backendId")


def _sync_state(manifest: Manifest | None, id_field: str) -> SyncState:
    if manifest is None:
        return SyncState(phase=SyncPhase.SYNCING)
    remote_id = status_of(manifest).get(id_field)
    phase, message = _phase(manifest, has_id=bool(remote_id))
    return SyncState(phase=phase, remote_id=remote_id, message=message)


def _phase(manifest: Manifest, *, has_id: bool) -> tuple[SyncPhase, str]:
    if not status_of(manifest).get("conditions"):
        return SyncPhase.SILENT, ""
    true = true_conditions(manifest)
    if not is_fresh(manifest):
        return SyncPhase.SYNCING, ""
    if "Synced" in true and has_id:
        return SyncPhase.SYNCED, ""
    # Failed stands beside each of the others and repeats their text.
    if "Invalid" in true:
        return SyncPhase.INVALID, true["Invalid"] or true.get("Failed", "")
    if "Orphan" in true:
        return SyncPhase.SYNCING, true["Orphan"] or true.get("Failed", "")
    if "Failed" in true:
        return SyncPhase.FAILED, true["Failed"]
    return SyncPhase.SYNCING, ""


class PromotionPhase(StrEnum):
    """How far a promotion is."""

    PENDING = "Pending"
    """It waits for its Product, or for the 3scale-operator."""
    DONE = "Done"
    """Its configuration is in production."""
    FAILED = "Failed"
    """It must be deleted and made anew: left alone, it might promote something later that nobody meant to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PromotionState:
    """A promotion's state; a version is None before 3scale tells it.

    `final`: the 3scale-operator never looks at it again. Until then it promotes whatever there is when it next looks.
    """

    phase: PromotionPhase
    final: bool = False
    staging_version: int | None = None
    production_version: int | None = None
    message: str = ""

    @property
    def done(self) -> bool:
        """Tell whether the configuration is in production."""
        return self.phase is PromotionPhase.DONE


def promotion_state(promotion: Manifest | None) -> PromotionState:
    """Read a ProxyConfigPromote; None is one that does not exist yet."""
    if promotion is None:
        return PromotionState(phase=PromotionPhase.PENDING)
    status = status_of(promotion)
    staging, production = status.get("latestStagingVersion"), status.get("latestProductionVersion")
    true = true_conditions(promotion)
    message = true.get("Failed", "")
    if "Ready" in true:
        phase = PromotionPhase.DONE
    elif "Failed" not in true:
        phase = PromotionPhase.PENDING
    else:
        phase = _failed_phase(message, in_production=staging == production and bool(staging))
    return PromotionState(
        phase=phase,
        final="Ready" in true,
        staging_version=staging or None,
        production_version=production or None,
        message="" if phase is PromotionPhase.DONE else message,
    )


def _failed_phase(message: str, *, in_production: bool) -> PromotionPhase:
    # "No changes" is said of every error of the call: it is true only where both versions are the same.
    if _NO_CHANGES in message and in_production:
        return PromotionPhase.DONE
    if any(words in message for words in _NOT_YET):
        return PromotionPhase.PENDING
    return PromotionPhase.FAILED
