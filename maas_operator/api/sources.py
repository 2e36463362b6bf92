"""Where the files of a model and of its adapters come from: URIs, and what each scheme wants of them."""

import re
from typing import Annotated, ClassVar, Final

from pydantic import Field

from maas_operator.api.base import ApiModel, Int, Rule, text
from maas_operator.api.fields import DNS_LABEL_PATTERN

# No segment begins with a dot, so that no path leaves its directory; nothing here means something to a template, to a
# shell or to vLLM, which splits `name=path` at `=` and looks for `,`.
_SEGMENT: Final = "[A-Za-z0-9_][A-Za-z0-9._+-]*"
_PATH: Final = f"(/{_SEGMENT})+"
_HOST: Final = "[A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]{1,5})?"
_TAG: Final = "(:[A-Za-z0-9_][A-Za-z0-9._-]*)?"


def _shape(scheme: str, rest: str, message: str) -> Rule:
    """Return the rule for URIs of one scheme; those of others pass."""
    pattern = f"^{scheme}://{rest}$"
    return Rule(
        cel=f"!self.startsWith('{scheme}://') || self.matches('{pattern}')",
        message=message,
        holds=lambda uri: not uri.startswith(f"{scheme}://") or re.fullmatch(pattern, uri) is not None,
    )


_PVC: Final = _shape(
    "pvc",
    f"[a-z0-9]([-a-z0-9.]*[a-z0-9])?(/{_SEGMENT})*/?",
    "a pvc:// URI names a claim of this namespace and a directory in it: write pvc://claim/path/to/directory,"
    " without segments that begin with a dot",
)
_HUGGING_FACE: Final = _shape(
    "hf",
    f"[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*{_TAG}",
    "an hf:// URI names organization and model, and maybe a revision: write hf://org/model or hf://org/model:revision",
)
_OTHERS: Final = (
    _shape(
        "oci",
        f"{_HOST}(/[a-z0-9_][a-z0-9._-]*)*{_TAG}(@sha256:[0-9a-f]{{64}})?",
        "an oci:// URI names an image: write oci://registry/repository:tag or oci://registry/repository@sha256:digest",
    ),
    _shape(
        "s3",
        f"[a-z0-9][a-z0-9.-]{{1,61}}[a-z0-9]{_PATH}/?",
        "an s3:// URI names bucket and path: write s3://bucket/path/to/model, without segments that begin with a dot",
    ),
    _shape(
        "https",
        f"{_HOST}{_PATH}[.](tar|tar[.]gz|tgz|zip)",
        "an https:// URI names one archive of the model: write https://host/path/model.tar.gz, .tgz, .tar or .zip,"
        " without user, password or query",
    ),
)

SourceUri = Annotated[
    str,
    text(
        r"^((oci|s3|pvc|hf)://[A-Za-z0-9][A-Za-z0-9._:/@+-]*|https://[A-Za-z0-9][A-Za-z0-9._:/+-]*)$",
        max_length=1024,
    ),
    _PVC,
    _HUGGING_FACE,
    *_OTHERS,
]
"""A URI that KServe fetches or mounts."""

AdapterUri = Annotated[str, text(r"^(pvc|hf)://[A-Za-z0-9][A-Za-z0-9._:/+-]*$", max_length=1024), _PVC, _HUGGING_FACE]
"""A URI that reaches the pods beside the model's own, in each version of KServe."""


class Adapter(ApiModel):
    """A LoRA adapter: a model id of its own, served by the same pods. Exactly one of uri and path is set."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="has(self.uri) != has(self.path)",
            message="an adapter has one place: set uri (pvc:// or hf://), or path, a directory inside of the model's"
            " source; what lies in a bucket or an image goes below the model's own directory there",
            holds=lambda adapter: (adapter.uri is None) != (adapter.path is None),
        ),
    )

    name: Annotated[str, text(DNS_LABEL_PATTERN, max_length=40)]
    """The model id by which clients ask for it."""
    uri: AdapterUri | None = None
    """A pvc:// or hf:// URI of its files."""
    path: Annotated[str, text(f"^{_SEGMENT}(/{_SEGMENT})*$", max_length=512)] | None = None
    """The directory of its files inside of the model's own source."""
    rank: Annotated[Int, Field(ge=1, le=256)] = 16
    """Its rank, `r` in its adapter_config.json."""
