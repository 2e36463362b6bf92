"""The OpenAPI document of a model, which 3scale's developer portal shows."""

from enum import StrEnum
from typing import ClassVar

from maas_operator.api.base import ApiModel, Bool, Rule
from maas_operator.api.meta import ConfigMapKey


class DocumentMode(StrEnum):
    """Where the document comes from."""

    GENERATED = "Generated"
    CONFIG_MAP = "ConfigMap"
    NONE = "None"


class OpenAPI(ApiModel):
    """The document of the API in the developer portal."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="has(self.configMapRef) == (has(self.mode) && self.mode == 'ConfigMap')",
            message="mode ConfigMap needs configMapRef, and no other mode has it: set both, or remove configMapRef",
            holds=lambda one: (one.config_map_ref is not None) == (one.mode is DocumentMode.CONFIG_MAP),
        ),
    )

    mode: DocumentMode = DocumentMode.GENERATED
    """Generated: written from tasks, plans and URL. ConfigMap: your own. None: there is none."""
    config_map_ref: ConfigMapKey | None = None
    """A ConfigMap in this namespace with an OpenAPI 3.0 document in JSON or YAML, of at most 256 KiB. The operator sets
    its servers, and looks at it every ten minutes at the latest."""
    published: Bool = True
    """Whether developers see it; if not, only 3scale's admin portal shows it."""
