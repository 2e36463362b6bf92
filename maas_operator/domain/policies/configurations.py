"""The configurations of the gateway's built-in policies that a platform may add.

The gateway checks none of them, and one that it trips over stops all calls. What is valid here is valid there; what
would be bad for metering, or for other products, is refused here.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import AddressValueError, IPv4Network, NetmaskValueError
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

ValueType = Literal["plain", "liquid"]
HttpMethod = Literal["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"]
Status = Annotated[int, Field(ge=200, le=599)]
ErrorStatus = Annotated[int, Field(ge=400, le=599)]

_FRAMING: Final = frozenset({"content-length", "transfer-encoding", "content-encoding"})
_RESERVED: Final = {
    # Setting it would make everybody one consumer, and keeping it would show the model their keys.
    "request": _FRAMING | {"authorization", "host"},
    # By these the metering policy knows how to read an answer.
    "response": _FRAMING | {"content-type"},
}


class Configuration(BaseModel):
    """A part of a configuration; numbers and texts are not converted into each other."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _nothing_is_null(cls, data: Any) -> Any:
        if isinstance(data, Mapping) and None in data.values():
            raise ValueError("null is no value: leave the field out")
        return data


class Operation(Configuration):
    """A comparison of two values."""

    left: str
    op: Literal["==", "!=", "matches"]
    right: str
    left_type: ValueType = "plain"
    right_type: ValueType = "plain"


class Condition(Configuration):
    """Comparisons of which all, or any, must hold."""

    combine_op: Literal["and", "or"]
    operations: Annotated[list[Operation], Field(min_length=1)]


def _network(text: str) -> str:
    # APIcast knows IPv4 only, and leaves out what it can not read: a wrong entry would block nobody.
    try:
        IPv4Network(text, strict=False)
    except (AddressValueError, NetmaskValueError, ValueError):
        raise ValueError("want an IPv4 address or network such as 10.0.0.0/8") from None
    return text


class IpCheck(Configuration):
    """Which addresses may call."""

    check_type: Literal["whitelist", "blacklist"]
    ips: Annotated[list[Annotated[str, AfterValidator(_network)]], Field(min_length=1)]
    error_msg: str = ""
    client_ip_sources: Annotated[
        list[Literal["X-Forwarded-For", "X-Real-IP", "proxy_protocol_addr", "last_caller"]],
        Field(min_length=1, max_length=3),
    ] = ["last_caller"]


class LogEntry(Configuration):
    """A field of a log line."""

    key: str
    value: str
    value_type: ValueType = "plain"


class LogOperation(Configuration):
    """A comparison, as the logging policy writes it."""

    match: str
    match_type: ValueType
    op: Literal["==", "!=", "matches"]
    value: str
    value_type: ValueType


class LogCondition(Configuration):
    """Which calls are logged."""

    combine_op: Literal["and", "or"] = "and"
    operations: list[LogOperation]


class Logging(Configuration):
    """Access logs."""

    enable_access_logs: bool = True
    custom_logging: str = ""
    enable_json_logs: bool = False
    json_object_config: list[LogEntry] = []
    condition: LogCondition | None = None


class MaintenanceMode(Configuration):
    """One answer to every call."""

    status: Status = 503
    message: str = ""
    message_content_type: Annotated[str, Field(pattern=r"^[ -~]+$")] = "text/plain; charset=utf-8"
    condition: Condition | None = None


class HeaderCommand(Configuration):
    """A change of one header."""

    op: Literal["add", "set", "push", "delete"]
    header: Annotated[str, Field(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")]
    value: str | None = None
    value_type: ValueType = "plain"

    @model_validator(mode="after")
    def _has_a_value(self) -> Self:
        if self.op != "delete" and self.value is None:
            raise ValueError(f"{self.op} needs a value")
        return self


class Headers(Configuration):
    """Changes of headers."""

    request: list[HeaderCommand] = []
    response: list[HeaderCommand] = []

    @model_validator(mode="after")
    def _leaves_ours_alone(self) -> Self:
        for side, commands in (("request", self.request), ("response", self.response)):
            # nginx takes an underscore for a hyphen.
            reserved = sorted({c.header.lower().replace("_", "-") for c in commands} & _RESERVED[side])
            if reserved:
                raise ValueError(f"{side} must leave {', '.join(reserved)} alone: authentication and metering need it")
        return self


class LimiterKey(Configuration):
    """What a limiter counts by."""

    name: Annotated[str, Field(min_length=1)]
    name_type: ValueType = "plain"
    scope: Literal["service", "global"] = "service"


class Limiter(Configuration):
    """What all limiters have."""

    key: LimiterKey
    condition: Condition | None = None


class LeakyBucket(Limiter):
    """So many calls a second; a burst is held back."""

    rate: Annotated[int, Field(gt=0)]
    burst: Annotated[int, Field(ge=0)]


class FixedWindow(Limiter):
    """So many calls in each window of seconds."""

    count: Annotated[int, Field(gt=0)]
    window: Annotated[int, Field(gt=0)]


class Connections(Limiter):
    """So many calls at once."""

    conn: Annotated[int, Field(gt=0)]
    burst: Annotated[int, Field(ge=0)]
    delay: Annotated[float, Field(gt=0)]


class RateLimit(Configuration):
    """Limits of calls. It has no settings for errors: APIcast would apply them to other products, too."""

    leaky_bucket_limiters: list[LeakyBucket] = []
    fixed_window_limiters: list[FixedWindow] = []
    connection_limiters: list[Connections] = []
    redis_url: Annotated[str, Field(pattern=r"^rediss?://")] | None = None


class RateLimitHeaders(Configuration):
    """Headers that tell what is left of a limit."""


class Retry(Configuration):
    """Another attempt where the model can not be reached."""

    retries: Annotated[int, Field(ge=1, le=10)]


class Caching(Configuration):
    """How long an authorisation holds. The other types would serve, uncounted, while 3scale is away."""

    caching_type: Literal["strict", "none"]


class PayloadLimits(Configuration):
    """The longest request. An answer that is dropped for its length would cost the model's work and count nothing."""

    request: Annotated[int, Field(ge=0)]
    response: Literal[0]


class RewriteCommand(Configuration):
    """A change of the path."""

    op: Literal["sub", "gsub"]
    regex: str
    replace: str
    options: str = ""
    last: bool = Field(default=False, alias="break")
    methods: list[HttpMethod] = []


class QueryCommand(Configuration):
    """A change of the query."""

    op: Literal["add", "set", "push", "delete"]
    arg: str
    value: str = ""
    value_type: ValueType = "plain"
    methods: list[HttpMethod] = []


class UrlRewriting(Configuration):
    """Changes of path and query."""

    commands: list[RewriteCommand] = []
    query_args_commands: list[QueryCommand] = []


class Transformation(Configuration):
    """A change of the path by named parts."""

    match_rule: str
    template: str
    methods: list[HttpMethod] = []


class RewriteUrlCaptures(Configuration):
    """Changes of the path by named parts."""

    transformations: list[Transformation]


class Code(Configuration):
    """A status for another; both tell of an error, since only answers without one are metered."""

    upstream: ErrorStatus
    apicast: ErrorStatus


class StatuscodeOverwrite(Configuration):
    """Other statuses for errors."""

    http_statuses: list[Code]


class FileCertificate(Configuration):
    """A certificate in the gateway's file system."""

    certificate_path: str
    certificate_key_path: str


class EmbeddedCertificate(Configuration):
    """A certificate in the configuration, as a data URL."""

    certificate: Annotated[str, Field(pattern=r"^data:")]
    certificate_key: Annotated[str, Field(pattern=r"^data:")]


class Tls(Configuration):
    """The gateway's own certificates."""

    certificates: Annotated[list[FileCertificate | EmbeddedCertificate], Field(min_length=1)]


class PemCertificate(Configuration):
    """A certificate, or a list of revoked ones, in PEM form."""

    pem_certificate: Annotated[str, Field(pattern=r"-----BEGIN ")]


class TlsValidation(Configuration):
    """Which certificates of clients are accepted."""

    whitelist: Annotated[list[PemCertificate], Field(min_length=1)]
    allow_partial_chain: bool = True
    revocation_check_type: Literal["ocsp", "crl", "none"] = "none"
    revoke_list: list[PemCertificate] = []
    ocsp_responder_url: Annotated[str, Field(pattern=r"^https?://")] | None = None
    cache_ttl: Annotated[int, Field(ge=1, le=3600)] | None = None
