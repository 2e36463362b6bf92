"""Valid objects of the three kinds, as wide as the API allows."""

import re
from datetime import timedelta

from hypothesis import strategies as st

from maas_operator.api.arguments import EnvironmentVariable, owned_flag
from maas_operator.api.autoscaling import Autoscaling, RolloutStrategy, ScalingMetric
from maas_operator.api.documents import DocumentMode, OpenAPI
from maas_operator.api.meta import ClusterReference, ConfigMapKey, ObjectMeta, SecretReference
from maas_operator.api.minio import MinIO
from maas_operator.api.model import Model, ModelSource, Task
from maas_operator.api.model_platform import (
    Billing,
    Gateway,
    ModelPlatform,
    ModelPlatformSpec,
    Monitoring,
    PlatformPolicy,
    Position,
    Prometheus,
    RuntimeProfile,
    Threescale,
)
from maas_operator.api.model_service import (
    Api,
    Cors,
    Developer,
    ManagementPolicy,
    ModelService,
    ModelServiceSpec,
    NetworkPolicyMode,
    Promotion,
    PromotionMode,
    RateLimit,
    Timeouts,
)
from maas_operator.api.model_subscription import ModelReference, ModelSubscription, ModelSubscriptionSpec, User
from maas_operator.api.plans import Limit, Metric, Period, Plan, Pricing, TokenPrices
from maas_operator.api.scheduling import (
    Affinity,
    HardwareProfile,
    TaintEffect,
    Toleration,
    TolerationOperator,
)
from maas_operator.api.serving import Resources, RuntimeKind, RuntimeReference, Serving
from maas_operator.api.sources import Adapter
from maas_operator.api.storage import DeletionPolicy, ExistingBucket, PlatformStorage, Storage, StorageBackend

LOWER = "abcdefghijklmnopqrstuvwxyz"
ALPHANUMERIC = LOWER + "0123456789"
ANY_CASE = ALPHANUMERIC + LOWER.upper()


def words(inner: str, *, max_size: int, min_size: int = 1) -> st.SearchStrategy[str]:
    """Return words of alphanumeric characters which may have the other characters inside, never at an end."""
    return st.text(ANY_CASE + inner, min_size=min_size, max_size=max_size).map(_with_plain_ends)


def _with_plain_ends(word: str) -> str:
    return re.sub(r"^[^A-Za-z0-9]|[^A-Za-z0-9]$", "x", word)


def labels(max_size: int = 63, min_size: int = 1) -> st.SearchStrategy[str]:
    """Return DNS labels."""
    return words("-", min_size=min_size, max_size=max_size).map(str.lower)


def texts(max_size: int) -> st.SearchStrategy[str]:
    """Return text as people write it, in any script."""
    characters = st.characters(codec="utf-8", min_codepoint=0x20, exclude_characters="<>{}")
    return st.text(characters, min_size=1, max_size=max_size)


def durations(shortest: timedelta, longest: timedelta) -> st.SearchStrategy[timedelta]:
    """Return durations of whole milliseconds, both ends included."""
    millisecond = timedelta(milliseconds=1)
    return st.integers(shortest // millisecond, longest // millisecond).map(lambda count: count * millisecond)


def metadata(name: st.SearchStrategy[str], namespace: st.SearchStrategy[str]) -> st.SearchStrategy[ObjectMeta]:
    """Return metadata as the API server completes it."""
    return st.builds(
        ObjectMeta,
        name=name,
        namespace=namespace,
        uid=st.uuids().map(str),
        generation=st.integers(1, 1_000),
        resource_version=st.integers(1, 10**9).map(str),
    )


plan_names = labels(min_size=2)
account_names = labels(min_size=3, max_size=40)
emails = st.builds("{}@{}.{}".format, words("._%+-", max_size=60), labels(), labels(max_size=20))
amounts = st.from_regex(r"[0-9]{1,15}(\.[0-9]{1,9})?([KMGTPE]i|[mkMGTPE])?", fullmatch=True)
resource_lists = st.dictionaries(
    st.sampled_from(["cpu", "memory", "ephemeral-storage", "nvidia.com/gpu", "amd.com/gpu"]), amounts
)
resources = st.builds(Resources, requests=resource_lists, limits=resource_lists)
limits = st.builds(
    Limit, metric=st.sampled_from(Metric), period=st.sampled_from(Period), value=st.integers(1, 1_000_000_000_000_000)
)
fees = st.decimals(0, "999999999.99", places=2).map(lambda fee: f"{fee:.2f}")
token_prices = st.decimals(0, "999999.999999", places=6).map(lambda price: f"{price:f}") | st.just("0")
pricings = st.builds(
    Pricing,
    # By their aliases: hypothesis looks at the signature and would make second ones.
    setupFee=fees,
    monthlyFee=fees,
    perMillionTokens=st.none() | st.builds(TokenPrices, prompt=token_prices, completion=token_prices),
)
plans = st.builds(
    Plan,
    name=plan_names,
    display_name=st.none() | texts(80),
    published=st.booleans(),
    approval_required=st.booleans(),
    trial_days=st.integers(0, 365),
    limits=st.lists(limits, max_size=28, unique_by=lambda limit: (limit.metric, limit.period)).map(tuple),
    pricing=pricings,
)
plan_lists = st.lists(plans, max_size=4, unique_by=lambda plan: plan.name).map(tuple)
model_ids = words("._/:-", max_size=120).filter(lambda name: not name.startswith("lora-"))
segments = words("._+-", max_size=20)
paths = st.lists(segments, min_size=1, max_size=4).map("/".join)
hugging_face = st.builds("hf://{}/{}{}".format, segments, segments, st.just("") | segments.map(":{}".format)).filter(
    lambda uri: "+" not in uri
)
claims = st.builds("pvc://{}/{}".format, labels(), st.just("") | paths)
sources = (
    hugging_face
    | claims
    | st.builds("oci://r.example.com/{}".format, labels())
    | st.builds("s3://{}/{}".format, labels(min_size=3), paths)
    | st.builds("https://{}/{}.{}".format, labels(), paths, st.sampled_from(["tar", "tar.gz", "tgz", "zip"]))
).map(lambda uri: ModelSource(uri=uri))
adapters = st.builds(
    Adapter, name=labels(max_size=35).map("lora-{}".format), uri=hugging_face | claims, rank=st.integers(1, 256)
) | st.builds(Adapter, name=labels(max_size=35).map("lora-{}".format), path=paths)


@st.composite
def models(draw: st.DrawFn) -> Model:
    """Return models; an adapter never has the model's name."""
    source = draw(sources)
    beside = draw(st.lists(adapters, max_size=3, unique_by=lambda one: one.name).map(tuple))
    mounted = str(source.uri).startswith(("oci://", "pvc://"))
    secret = st.none() if mounted else st.none() | st.builds(SecretReference, name=labels())
    return Model(
        name=draw(st.none() | model_ids),
        aliases=draw(st.lists(model_ids.map("alias-{}".format), max_size=8, unique=True).map(tuple)),
        tasks=draw(st.lists(st.sampled_from(Task), min_size=1, unique=True).map(tuple)),
        source=source,
        credentials_secret_ref=draw(secret),
        context_length=draw(st.none() | st.integers(1, 10_000_000)),
        adapters=beside,
    )


any_text = st.text(st.characters(codec="utf-8"), max_size=40).filter(lambda text: "{{" not in text)
arguments = st.builds(
    "--{}{}".format,
    labels(max_size=30).filter(lambda name: name[0] in LOWER),
    st.just("") | any_text.map("={}".format),
).filter(lambda one: owned_flag(one) is None and re.search(r"[\x00-\x1f]", one) is None)
argument_lists = st.lists(arguments, max_size=4).map(tuple)
variables = st.builds(
    EnvironmentVariable, name=st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,30}", fullmatch=True), value=any_text
)
environments = st.lists(variables, max_size=4, unique_by=lambda variable: variable.name).map(tuple)
label_keys = words("-_.", max_size=63) | st.builds("{}/{}".format, labels(), words("-_.", max_size=63))
label_values = words("-_.", max_size=63)
node_selectors = st.dictionaries(label_keys, label_values, max_size=3)
taints = st.builds(
    Toleration,
    key=label_keys,
    operator=st.just(TolerationOperator.EQUAL) | st.none(),
    value=st.none() | label_values,
    effect=st.none() | st.sampled_from(TaintEffect),
) | st.just(Toleration(operator=TolerationOperator.EXISTS))
toleration_lists = st.lists(taints, max_size=3).map(tuple)
affinities = st.builds(
    Affinity,
    node_affinity=st.just(
        {
            "requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [{"matchExpressions": [{"key": "zone", "operator": "Exists"}]}]
            }
        }
    ),
)
autoscalings = st.builds(
    Autoscaling,
    # By their aliases, as above.
    minReplicas=st.integers(1, 50),
    maxReplicas=st.integers(50, 100),
    metric=st.sampled_from(ScalingMetric),
    target=st.none() | st.integers(1, 100),
)
runtimes_of_somebody = st.builds(RuntimeReference, kind=st.sampled_from(RuntimeKind), name=labels())


@st.composite
def _servings(draw: st.DrawFn) -> Serving:
    somewhere = draw(st.booleans())
    placed = {"nodeSelector": draw(node_selectors), "tolerations": draw(toleration_lists)}
    hardware = {"hardwareProfile": draw(st.builds(HardwareProfile, name=labels(), namespace=st.none() | labels()))}
    chosen = (
        {"runtime": draw(st.none() | labels())} if draw(st.booleans()) else {"runtimeRef": draw(runtimes_of_somebody)}
    )
    return Serving(
        resources=draw(resources),
        startup_timeout=draw(durations(timedelta(minutes=1), timedelta(hours=24))),
        replicas=draw(st.integers(0, 100)),
        autoscaling=draw(st.none() | autoscalings),
        rollout_strategy=draw(st.none() | st.sampled_from(RolloutStrategy)),
        image=draw(st.none() | words("._:/@-", max_size=200)),
        args=draw(argument_lists),
        env=draw(environments),
        affinity=draw(st.none() | affinities),
        image_pull_secrets=draw(
            st.lists(st.builds(SecretReference, name=labels()), max_size=3, unique_by=lambda one: one.name).map(tuple)
        ),
        service_account_name=draw(st.none() | labels()),
        chat_template_ref=draw(st.none() | st.builds(ConfigMapKey, name=labels(), key=words("-._", max_size=60))),
        tool_call_parser=draw(st.none() | st.sampled_from(["hermes", "llama3_json", "granite-20b-fc"])),
        **(placed if somewhere else hardware),
        **chosen,
    )


servings = _servings()
origins = st.just("*") | st.builds(
    "{}://{}{}".format,
    st.sampled_from(["http", "https"]),
    st.text(ALPHANUMERIC + ".-", min_size=1, max_size=60),
    st.just("") | st.integers(1, 65535).map(":{}".format),
)
apis = st.builds(
    Api,
    timeouts=st.builds(
        Timeouts,
        connect=durations(timedelta(seconds=1), timedelta(minutes=1)),
        read=durations(timedelta(seconds=1), timedelta(hours=1)),
    ),
    cors=st.builds(Cors, allowed_origins=st.lists(origins, max_size=8, unique=True).map(tuple)),
    open_api=st.one_of(
        st.builds(OpenAPI, mode=st.sampled_from([DocumentMode.GENERATED, DocumentMode.NONE]), published=st.booleans()),
        st.builds(
            OpenAPI,
            mode=st.just(DocumentMode.CONFIG_MAP),
            config_map_ref=st.builds(ConfigMapKey, name=labels(), key=words("-._", max_size=60)),
            published=st.booleans(),
        ),
    ),
    rate_limit=st.none()
    | st.builds(RateLimit, requestsPerSecond=st.integers(1, 100_000), burst=st.integers(0, 100_000)),
    promotion=st.builds(
        Promotion,
        mode=st.sampled_from(PromotionMode),
        approved=st.none() | st.text("0123456789abcdef", min_size=16, max_size=16),
    ),
    network_policy=st.sampled_from(NetworkPolicyMode),
)


secret_references = st.builds(SecretReference, name=labels())
existing_buckets = st.builds(
    ExistingBucket,
    endpoint=st.builds(
        "{}://{}{}".format, st.sampled_from(["http", "https"]), labels(), st.sampled_from(["", ":9000"])
    ),
    region=labels(),
    bucket=labels(min_size=3),
    # By their aliases: hypothesis looks at the signature and would make second ones.
    credentialsSecretRef=secret_references,
    caConfigMapRef=st.none() | st.builds(ConfigMapKey, name=labels(), key=words("-._", max_size=60)),
)
_made_buckets = [
    st.builds(
        Storage,
        backend=st.just(backend),
        quota=st.none() | st.from_regex(rf"[1-9][0-9]{{0,5}}({units})", fullmatch=True),
        # By its alias: hypothesis looks at the signature and would make a second one.
        deletionPolicy=st.sampled_from(DeletionPolicy),
    )
    for backend, units in ((StorageBackend.MINIO, "Mi|Gi|Ti"), (StorageBackend.ODF, "Gi|Ti"))
]
storages = st.one_of(
    st.builds(Storage, backend=st.just(StorageBackend.EXISTING), existing=existing_buckets), *_made_buckets
)


def _developers(names: st.SearchStrategy[str]) -> st.SearchStrategy[tuple[Developer, ...]]:
    developers = st.builds(Developer, name=account_names, email=emails, plan=names)
    return st.lists(developers, max_size=4, unique_by=lambda developer: developer.name).map(tuple)


@st.composite
def model_services(draw: st.DrawFn) -> ModelService:
    """Return valid ModelServices whose name and namespace fit together."""
    offered = draw(plan_lists)
    names = st.sampled_from([plan.name for plan in offered]) if offered else plan_names
    spec = ModelServiceSpec(
        platform_ref=ClusterReference(name=draw(labels())),
        display_name=draw(st.none() | texts(80)),
        description=draw(st.none() | texts(500)),
        model=draw(models()),
        serving=draw(servings),
        api=draw(apis),
        plans=offered,
        developers=draw(_developers(names)),
        storage=draw(st.none() | storages),
        management_policy=draw(st.sampled_from(ManagementPolicy)),
    )
    starts_with_letter = labels(max_size=35).map(lambda name: draw(st.sampled_from(LOWER)) + name)
    starts_with_letter = starts_with_letter.filter(lambda name: not name.startswith("lora-"))
    known = draw(metadata(starts_with_letter, labels(max_size=16)))
    return ModelService(metadata=known, spec=spec)


def model_subscriptions() -> st.SearchStrategy[ModelSubscription]:
    """Return valid ModelSubscriptions."""
    spec = st.builds(
        ModelSubscriptionSpec,
        # By its alias: hypothesis looks at the signature and would make a second one.
        modelRef=st.builds(ModelReference, namespace=st.none() | labels(), name=labels(max_size=36)),
        plan=plan_names,
        account=account_names,
        user=st.builds(
            User,
            username=words("-._", min_size=3, max_size=40).map(str.lower),
            email=emails,
            password_secret_ref=st.none() | st.builds(SecretReference, name=labels()),
        ),
        secret_name=st.none() | words("-.", max_size=253).map(str.lower),
    )
    return st.builds(ModelSubscription, metadata=metadata(labels(), labels()), spec=spec)


json_values = st.recursive(
    st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(codec="utf-8"), max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts(10), inner, max_size=3),
    max_leaves=5,
)
own_policies = st.builds(
    PlatformPolicy,
    name=words("-_.", max_size=63).filter(lambda name: name not in ("apicast", "maas-llm-metering")),
    version=st.from_regex(r"[0-9]\.[0-9]{1,3}", fullmatch=True),
    position=st.sampled_from(Position),
    configuration=st.none() | st.dictionaries(texts(10), json_values, max_size=3),
)
built_in_policies = st.sampled_from(
    [
        PlatformPolicy(name="maintenance_mode", position=Position.AFTER_AUTH),
        PlatformPolicy(name="retry", position=Position.BEFORE_AUTH, configuration={"retries": 3}),
        PlatformPolicy(
            name="ip_check",
            position=Position.BEFORE_AUTH,
            configuration={"check_type": "whitelist", "ips": ["10.0.0.0/8"]},
        ),
    ]
)


def model_platforms() -> st.SearchStrategy[ModelPlatform]:
    """Return valid ModelPlatforms."""
    namespaces = st.lists(labels(), max_size=4, unique=True).map(tuple)
    runtimes = st.builds(
        RuntimeProfile,
        name=labels(),
        image=words("._:/@-", max_size=200),
        version=st.from_regex(r"[0-9]{1,4}\.[0-9]{1,4}(\.[0-9]{1,4})?", fullmatch=True),
        args=argument_lists,
        env=environments,
        resources=resources,
        node_selector=node_selectors,
        tolerations=toleration_lists,
    )
    spec = st.builds(
        ModelPlatformSpec,
        threescale=st.builds(
            Threescale,
            namespace=labels(),
            provider_account_secret_ref=st.builds(SecretReference, name=labels()),
            billing=st.sampled_from(Billing),
        ),
        gateway=st.builds(
            Gateway,
            namespaces=namespaces,
            configuration_cache=durations(timedelta(0), timedelta(hours=24)),
            policies=st.lists(own_policies | built_in_policies, max_size=3).map(tuple),
        ),
        monitoring=st.builds(
            Monitoring,
            namespaces=namespaces,
            prometheus=st.none() | st.just(Prometheus(url="https://prometheus.example.com:9090")),
        ),
        runtimes=st.lists(runtimes, max_size=4, unique_by=lambda runtime: runtime.name).map(tuple),
        storage=st.builds(
            PlatformStorage,
            # No 3scale of a drawn name is in its namespace.
            minio=st.none()
            | st.builds(
                MinIO,
                namespace=labels(max_size=50).map("minio-{}".format),
                size=amounts,
                # By its alias: hypothesis looks at the signature and would make a second one.
                storageClassName=st.none() | labels(),
                image=words("._:/@-", max_size=200),
            ),
        ),
        default_plans=plan_lists,
        currency=st.text(LOWER.upper(), min_size=3, max_size=3),
    )
    return st.builds(ModelPlatform, metadata=metadata(labels(), st.just("")), spec=spec)
