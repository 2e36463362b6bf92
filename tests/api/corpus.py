"""Documents with the verdict that the models and an API server must share."""

from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

Document = dict[str, Any]

SERVICE: Document = {
    "apiVersion": "maas-operator.io/v1alpha1",
    "kind": "ModelService",
    "metadata": {"name": "llama", "namespace": "llm-hosting"},
    "spec": {
        "displayName": "Llama",
        "model": {"name": "llama", "source": {"uri": "oci://quay.io/models/llama:1"}},
        "serving": {"resources": {"requests": {"cpu": "2"}, "limits": {"memory": "8Gi"}}},
        "api": {"timeouts": {"connect": "10s", "read": "300s"}, "cors": {"allowedOrigins": ["*"]}},
        "plans": [
            {"name": "standard", "limits": [{"metric": "Requests", "period": "Day", "value": 100}]},
            {"name": "premium"},
        ],
        "developers": [{"name": "dev1", "email": "dev1@example.com", "plan": "standard"}],
    },
}
SUBSCRIPTION: Document = {
    "apiVersion": "maas-operator.io/v1alpha1",
    "kind": "ModelSubscription",
    "metadata": {"name": "dev1", "namespace": "team-a"},
    "spec": {
        "modelRef": {"namespace": "llm-hosting", "name": "llama"},
        "plan": "standard",
        "account": "dev1",
        "user": {"username": "dev1", "email": "dev1@example.com", "passwordSecretRef": {"name": "dev1-password"}},
        "secretName": "dev1-llama",
    },
}
PLATFORM: Document = {
    "apiVersion": "maas-operator.io/v1alpha1",
    "kind": "ModelPlatform",
    "metadata": {"name": "default"},
    "spec": {
        "threescale": {"namespace": "3scale", "providerAccountSecretRef": {"name": "account"}, "billing": "Enabled"},
        "gateway": {"namespaces": ["3scale"], "configurationCache": "5m"},
        "monitoring": {"namespaces": ["openshift-monitoring"]},
        "runtimes": [
            {
                "name": "vllm-cpu",
                "image": "quay.io/vllm/vllm:v1",
                "version": "0.7.3",
                "args": ["--dtype=bfloat16", "--dtype=bfloat16"],
                "env": [{"name": "HOME", "value": "/tmp"}],
                "resources": {"limits": {"cpu": 4}},
            }
        ],
        "defaultPlans": [{"name": "standard"}],
    },
}
ABSENT = object()
_SCALED: Document = {"maxReplicas": 3, "metric": "WaitingRequests"}


def changed(document: Document, path: str, value: Any) -> Document:
    """Return a copy with one value set, or taken away when it is ABSENT; `plans.0.name` goes into lists."""
    copy = deepcopy(document)
    *parents, last = [int(step) if step.isdigit() else step for step in path.split(".")]
    target: Any = copy
    for step in parents:
        target = target.setdefault(step, {}) if isinstance(target, dict) else target[step]
    if value is ABSENT:
        del target[last]
    else:
        target[last] = value
    return copy


@dataclass(frozen=True)
class Good:
    """A document that everybody accepts."""

    title: str
    document: Document = field(repr=False)


@dataclass(frozen=True)
class Bad:
    """A document that everybody refuses, with an error at or below the path."""

    title: str
    document: Document = field(repr=False)
    path: str


@dataclass(frozen=True)
class Change:
    """An update of one value; the path is where it is refused, empty where it is allowed."""

    title: str
    old: Document = field(repr=False)
    new: Document = field(repr=False)
    path: str = ""


_MINIO = {
    "namespace": "minio",
    "size": 1_000_000_000,
    "storageClassName": "fast.example.com",
    "image": "registry.example.com/minio@sha256:" + "0" * 64,
}
_IN_BUCKET: Document = {
    "model": {"source": {"bucketPath": "models/llama-3.2"}},
    "storage": {"backend": "ODF", "quota": "50Gi"},
}
_EXISTING: Document = {
    "endpoint": "https://s3.example.com:9000",
    "region": "eu-central-1",
    "bucket": "models",
    "credentialsSecretRef": {"name": "models-s3"},
    "caConfigMapRef": {"name": "authority", "key": "ca.crt"},
}
IN_BUCKET: Document = {**SERVICE, "spec": SERVICE["spec"] | _IN_BUCKET}
IN_EXISTING: Document = changed(IN_BUCKET, "spec.storage", {"backend": "Existing", "existing": _EXISTING})

_POLICY = {"name": "tls", "position": "BeforeAuth"}


def _service(title: str, path: str, value: Any) -> Good:
    return Good(f"{title}: {path}", changed(SERVICE, path, value))


GOOD = (
    Good("a service", SERVICE),
    Good("a subscription", SUBSCRIPTION),
    Good("a platform", PLATFORM),
    Good("the smallest platform", {**PLATFORM, "spec": {"threescale": {"namespace": "3scale"}}}),
    Good("the smallest service", {**SERVICE, "spec": {"model": {"source": {"uri": "hf://org/model"}}}}),
    _service("longest name", "metadata.name", "a" * 36),
    _service("text in any script", "spec.displayName", 'Modèle "très" rapide — 模型'),
    _service("null is absent", "spec.description", None),
    _service("null takes the default", "spec.serving", None),
    _service("a quantity as a number", "spec.serving.resources.limits.cpu", 2),
    _service("a quantity with a fraction", "spec.serving.resources.limits.cpu", "1.5"),
    _service("an accelerator", "spec.serving.resources.limits", {"nvidia.com/gpu": 1}),
    _service("further ids", "spec.model.aliases", ["org/llama-3.1", "llama-old"]),
    _service(
        "a runtime of somebody else", "spec.serving.runtimeRef", {"kind": "ClusterServingRuntime", "name": "vllm.v1"}
    ),
    _service(
        "all of vLLM's settings",
        "spec.serving",
        {
            "image": "registry.example.com/vllm@sha256:" + "0" * 64,
            "args": ["--dtype=bfloat16", "--enforce-eager", '--hf-overrides.rope.type_x="yarn"', "--seed=-1"],
            "env": [{"name": "VLLM_LOGGING_LEVEL", "value": '{"a": {}}'}],
            "nodeSelector": {"nvidia.com/gpu.product": "NVIDIA-H100", "plain": ""},
            "tolerations": [
                {"operator": "Exists"},
                {"key": "a/b", "value": "c", "effect": "NoExecute", "tolerationSeconds": 5},
            ],
            "affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}},
            "imagePullSecrets": [{"name": "pull"}],
            "serviceAccountName": "models",
            "chatTemplateRef": {"name": "templates", "key": "llama.jinja"},
            "toolCallParser": "granite-20b-fc",
        },
    ),
    _service("a hardware profile", "spec.serving", {"hardwareProfile": {"name": "large", "namespace": "profiles"}}),
    _service("stopped", "spec.serving.replicas", 0),
    Good("a model in a bucket", IN_BUCKET),
    Good("a model in an existing bucket", IN_EXISTING),
    Good("data that goes with the service", changed(IN_BUCKET, "spec.storage.deletionPolicy", "Delete")),
    Good("a bucket besides", changed(IN_BUCKET, "spec.model.source", {"uri": "hf://org/model"})),
    Good("the least of a store", changed(IN_EXISTING, "spec.storage.existing.endpoint", "http://minio")),
    Good("a store by its address", changed(IN_EXISTING, "spec.storage.existing.endpoint", "http://10.1.2.3:9000")),
    _service("scaled by the queue", "spec.serving.autoscaling", {**_SCALED, "minReplicas": 3, "target": 100_000}),
    _service("scaled by a percentage", "spec.serving.autoscaling", {**_SCALED, "metric": "KVCache", "target": 100}),
    _service("a gap between old and new pods", "spec.serving.rolloutStrategy", "Recreate"),
    _service("a duration in parts", "spec.serving.startupTimeout", "1h30m10s5ms"),
    _service("the longest duration", "spec.serving.startupTimeout", "24h"),
    _service("no plans named, the platform decides", "spec.plans", []),
    _service(
        "one metric in two periods",
        "spec.plans.1.limits",
        [
            {"metric": "TotalTokens", "period": "Day", "value": 5},
            {"metric": "TotalTokens", "period": "Month", "value": 5},
        ],
    ),
    _service("an image by digest", "spec.model.source.uri", "oci://quay.io/m@sha256:" + "0" * 64),
    *(
        _service("a source", "spec.model.source.uri", uri)
        for uri in (
            "oci://r",
            "oci://registry.example.com:5000/models/llama_3.2:v1.0-rc1",
            "s3://models.example/llama-3.2/v1+q4/",
            "pvc://claim",
            "pvc://claim/models/llama-3.2/",
            "hf://org/Model.v1_x:main",
            "https://example.com:8443/models/llama.tar.gz",
            "https://example.com/llama.zip",
        )
    ),
    _service("credentials", "spec.model", {"source": {"uri": "s3://models/a"}, "credentialsSecretRef": {"name": "s3"}}),
    _service(
        "adapters",
        "spec.model",
        {
            "source": {"uri": "oci://quay.io/models/llama:1"},
            "credentialsSecretRef": {"name": "token"},
            "adapters": [
                {"name": "legal", "uri": "hf://org/legal:v1", "rank": 64},
                {"name": "medical", "uri": "pvc://claim/adapters/medical"},
                {"name": "plain", "path": "adapters/plain.v1"},
            ],
        },
    ),
    _service(
        "its own document",
        "spec.api.openAPI",
        {"mode": "ConfigMap", "configMapRef": {"name": "docs", "key": "openapi.yaml"}, "published": False},
    ),
    _service("fees with cents", "spec.plans.1.pricing", {"setupFee": "0.00", "monthlyFee": "999999999.99"}),
    _service(
        "prices of tokens", "spec.plans.1.pricing.perMillionTokens", {"prompt": "0.000001", "completion": "999999"}
    ),
    _service("a rate limit", "spec.api.rateLimit", {"requestsPerSecond": 20, "burst": 0}),
    _service("CORS for one origin", "spec.api.cors.allowedOrigins", ["https://app.example.com:8443"]),
    _service("an approval", "spec.api.promotion", {"mode": "Manual", "approved": "0123456789abcdef"}),
    _service("an approval that is not needed", "spec.api.promotion", {"approved": "0" * 16}),
    Good("a model in the same namespace", changed(SUBSCRIPTION, "spec.modelRef", {"name": "llama"})),
    Good("the Secret's own name", changed(SUBSCRIPTION, "spec.secretName", ABSENT)),
    Good("a cache that is off", changed(PLATFORM, "spec.gateway.configurationCache", "0s")),
    Good("another currency", changed(PLATFORM, "spec.currency", "USD")),
    Good(
        "policies in the chain",
        changed(
            PLATFORM,
            "spec.gateway.policies",
            [
                {
                    "name": "ip_check",
                    "position": "BeforeAuth",
                    "configuration": {"ips": ["10.0.0.1"], "deep": {"n": [1]}},
                },
                {"name": "ip_check", "position": "BeforeAuth", "configurationSecretRef": {"name": "ips"}},
                {"name": "mine", "version": "1.0.0", "position": "AfterAuth"},
            ],
        ),
    ),
    Good("a MinIO", changed(PLATFORM, "spec.storage", {"minio": {"namespace": "minio", "size": "50Gi"}})),
    Good("a MinIO of one's own image and class", changed(PLATFORM, "spec.storage.minio", _MINIO)),
    Good("a Prometheus", changed(PLATFORM, "spec.monitoring.prometheus", {"url": "https://thanos.example.com:9092/a"})),
    Good("nobody reads metrics", changed(PLATFORM, "spec.monitoring.namespaces", [])),
)


def _bad(document: Document, title: str, path: str, value: Any, at: str | None = None) -> Bad:
    steps = "".join(f"[{step}]" if step.isdigit() else f".{step}" for step in path.split("."))
    return Bad(f"{title}: {path}", changed(document, path, value), steps.removeprefix(".") if at is None else at)


def _scaled(title: str, field_: str, value: Any, at: str | None = None) -> Bad:
    scaled = changed(SERVICE, "spec.serving.autoscaling", _SCALED)
    return _bad(scaled, title, f"spec.serving.autoscaling.{field_}", value, at)


def _prometheus(title: str, url: Any) -> Bad:
    asked = changed(PLATFORM, "spec.monitoring.prometheus", {"url": "https://prometheus.example.com"})
    return _bad(asked, title, "spec.monitoring.prometheus.url", url)


_LIMIT = {"metric": "Requests", "period": "Day", "value": 1}
BAD = (
    _bad(SERVICE, "a dot", "metadata.name", "llama-3.2", "metadata"),
    _bad(SERVICE, "starts with a digit", "metadata.name", "3llama", "metadata"),
    _bad(SERVICE, "too long", "metadata.name", "a" * 37, "metadata"),
    _bad(SERVICE, "missing", "spec", ABSENT),
    _bad(SERVICE, "missing", "spec.model", ABSENT),
    _bad(SERVICE, "missing", "spec.model.source", ABSENT),
    _bad(SERVICE, "null is missing", "spec.model.source", None),
    _bad(SERVICE, "no member of the union", "spec.model.source", {}),
    _bad(IN_BUCKET, "two members of the union", "spec.model.source.uri", "hf://org/model", "spec.model.source"),
    _bad(SERVICE, "no bucket for the path", "spec.model.source", {"bucketPath": "models/llama"}, "spec"),
    _bad(IN_BUCKET, "up and away", "spec.model.source.bucketPath", "models/../../etc"),
    _bad(IN_BUCKET, "a hidden folder", "spec.model.source.bucketPath", "models/.git"),
    _bad(IN_BUCKET, "from the root", "spec.model.source.bucketPath", "/models"),
    _bad(IN_BUCKET, "an empty step", "spec.model.source.bucketPath", "models//llama"),
    _bad(IN_BUCKET, "a slash at the end", "spec.model.source.bucketPath", "models/"),
    _bad(IN_BUCKET, "template braces", "spec.model.source.bucketPath", "models/{{.Name}}"),
    _bad(IN_BUCKET, "another line", "spec.model.source.bucketPath", "models\n"),
    _bad(IN_BUCKET, "a query", "spec.model.source.bucketPath", "models?x=1"),
    _bad(IN_BUCKET, "unknown backend", "spec.storage.backend", "Ceph"),
    _bad(IN_BUCKET, "no backend", "spec.storage.backend", ABSENT),
    _bad(IN_BUCKET, "a quota without unit", "spec.storage.quota", "50"),
    _bad(IN_BUCKET, "no room at all", "spec.storage.quota", "0Gi"),
    _bad(IN_BUCKET, "less than NooBaa takes", "spec.storage.quota", "500Mi", "spec.storage"),
    _bad(IN_BUCKET, "more than there is in the world", "spec.storage.quota", "1000000Ti"),
    _bad(IN_BUCKET, "a command behind the quota", "spec.storage.quota", "1Gi; id"),
    _bad(IN_BUCKET, "another line behind the quota", "spec.storage.quota", "1Gi\n"),
    _bad(IN_BUCKET, "existing without its backend", "spec.storage.existing", _EXISTING, "spec.storage"),
    _bad(IN_EXISTING, "its backend without existing", "spec.storage.existing", ABSENT, "spec.storage"),
    _bad(IN_EXISTING, "a quota that nobody keeps", "spec.storage.quota", "50Gi", "spec.storage"),
    _bad(IN_EXISTING, "a deletion that nobody makes", "spec.storage.deletionPolicy", "Delete", "spec.storage"),
    *(
        _bad(IN_EXISTING, title, "spec.storage.existing.endpoint", endpoint)
        for title, endpoint in {
            "a user": "https://user:password@s3.example.com",
            "a path": "https://s3.example.com/models",
            "a slash": "https://s3.example.com/",
            "a query": "https://s3.example.com?x=1",
            "a fragment": "https://s3.example.com#x",
            "another scheme": "file:///etc/passwd",
            "no scheme": "s3.example.com",
            "another line": "https://s3.example.com\nx",
            "template braces": "https://{{.Name}}",
            "a space": "https://s3.example.com x",
        }.items()
    ),
    _bad(IN_EXISTING, "a path", "spec.storage.existing.bucket", "models/llama"),
    _bad(IN_EXISTING, "up and away", "spec.storage.existing.bucket", ".."),
    _bad(IN_EXISTING, "template braces", "spec.storage.existing.region", "{{.Name}}"),
    _bad(IN_EXISTING, "a key that leads away", "spec.storage.existing.caConfigMapRef.key", "../ca.crt"),
    _bad(PLATFORM, "no name of a class", "spec.storage.odf.storageClassName", "No Class"),
    _bad(SERVICE, "unknown scheme", "spec.model.source.uri", "file:///etc/passwd"),
    _bad(SERVICE, "template braces", "spec.model.source.uri", "oci://{{.Name}}"),
    _bad(SERVICE, "credentials in a URL", "spec.model.source.uri", "https://user:secret@example.com/model"),
    _bad(SERVICE, "a query", "spec.model.source.uri", "https://example.com/model?token=1"),
    _bad(SERVICE, "a line feed at the end", "spec.model.source.uri", "oci://a/b\n"),
    _bad(SERVICE, "too long", "spec.model.source.uri", "oci://" + "a" * 1024),
    *(
        _bad(SERVICE, f"a source: {uri}", "spec.model.source.uri", uri)
        for uri in (
            "s3://models",
            "s3://models/",
            "s3://Models/llama",
            "s3://models/../other",
            "s3://models/a//b",
            "s3://key:secret@models/llama",
            "s3://models/llama?versionId=1",
            "s3://models/{{.Name}}",
            "pvc://claim/..",
            "pvc://claim/models/../../etc",
            "pvc://claim/.hidden",
            "pvc://Claim/models",
            "pvc://claim//models",
            "hf://model",
            "hf://org/",
            "hf://org/model/file",
            "hf://org/model:refs/pr/1",
            "hf://token@org/model",
            "hf://org/..",
            "https://example.com",
            "https://example.com/model",
            "https://example.com/model.gguf",
            "https://example.com/../model.zip",
            "oci://user:secret@registry.example.com/model",
            "oci://registry.example.com/../model",
            "oci://registry.example.com/model@sha256:0",
            "oci+native://registry.example.com/model",
        )
    ),
    *(
        _bad(
            SERVICE,
            f"credentials for {uri}",
            "spec.model",
            {"source": {"uri": uri}, "credentialsSecretRef": {"name": "secret"}},
        )
        for uri in ("oci://quay.io/models/llama:1", "pvc://claim/models")
    ),
    *(
        _bad(SERVICE, f"an adapter: {adapter}", "spec.model.adapters", [{"name": "legal"} | adapter])
        for adapter in (
            {},
            {"uri": "hf://org/legal", "path": "legal"},
            {"uri": "s3://models/legal"},
            {"uri": "oci://quay.io/legal:1"},
            {"uri": "https://example.com/legal.zip"},
            {"uri": "pvc://claim/../legal"},
            {"uri": "hf://org/legal=/etc/passwd"},
            {"path": "/etc"},
            {"path": "../etc"},
            {"path": "a/../b"},
            {"path": "a b"},
            {"path": "{{.Name}}"},
            {"path": "a=b"},
            {"path": "legal", "rank": 0},
            {"path": "legal", "rank": 257},
            {"path": "legal", "name": "Legal"},
            {"path": "legal", "name": "a=b"},
            {"path": "legal", "name": "a/b"},
            {"path": "legal", "name": "a" * 41},
        )
    ),
    _bad(SERVICE, "an adapter twice", "spec.model.adapters", [{"name": "a", "path": "a"}, {"name": "a", "path": "b"}]),
    _bad(
        SERVICE,
        "too many adapters",
        "spec.model.adapters",
        [{"name": f"a{number}", "path": "a"} for number in range(9)],
    ),
    Bad(
        "an adapter of the model's name",
        changed(SERVICE, "spec.model.adapters", [{"name": "llama", "path": "a"}]),
        "spec.model",
    ),
    Bad(
        "an adapter of an alias's name",
        changed(changed(SERVICE, "spec.model.aliases", ["old"]), "spec.model.adapters", [{"name": "old", "path": "a"}]),
        "spec.model",
    ),
    Bad(
        "an adapter of the service's name",
        changed(
            SERVICE,
            "spec.model",
            {"source": {"uri": "oci://r"}, "adapters": [{"name": SERVICE["metadata"]["name"], "path": "a"}]},
        ),
        "",
    ),
    _bad(SERVICE, "a space", "spec.model.name", "my model"),
    _bad(SERVICE, "a flag", "spec.model.name", "--trust-remote-code"),
    _bad(SERVICE, "no task", "spec.model.tasks", []),
    _bad(SERVICE, "unknown task", "spec.model.tasks", ["Chat", "Sing"], "spec.model.tasks[1]"),
    _bad(SERVICE, "task twice", "spec.model.tasks", ["Chat", "Chat"]),
    _bad(SERVICE, "zero", "spec.model.contextLength", 0),
    _bad(SERVICE, "a number as text", "spec.model.contextLength", "2000"),
    _bad(SERVICE, "a truth value as number", "spec.model.contextLength", True),
    _bad(SERVICE, "markup", "spec.displayName", "<script>alert(1)</script>"),
    _bad(SERVICE, "Liquid", "spec.displayName", "{{ provider.secret }}"),
    *(
        _bad(SERVICE, title, path, text)
        for path in ("spec.displayName", "spec.description")
        for title, text in {
            "a Liquid tag": "{% include 'users' %}",
            "an entity of markup": "a<b",
            "a colour": "\x1b[1m",
        }.items()
    ),
    *(
        _bad(SERVICE, title, "spec.plans", [{"name": "basic", "displayName": text}], "spec.plans[0].displayName")
        for title, text in {"a Liquid value": "{{ provider }}", "a Liquid tag": "{% x %}", "markup": "<b>"}.items()
    ),
    _bad(SERVICE, "empty", "spec.displayName", ""),
    _bad(SERVICE, "two lines", "spec.description", "a\nb"),
    _bad(SERVICE, "too long", "spec.description", "a" * 501),
    _bad(SERVICE, "not a string", "spec.displayName", 5),
    _bad(SERVICE, "capitals", "spec.platformRef.name", "Default"),
    _bad(SERVICE, "negative", "spec.serving.replicas", -1),
    _bad(SERVICE, "too many", "spec.serving.replicas", 101),
    _bad(
        SERVICE, "no upper bound", "spec.serving.autoscaling", {"metric": "CPU"}, "spec.serving.autoscaling.maxReplicas"
    ),
    _bad(SERVICE, "no metric", "spec.serving.autoscaling", {"maxReplicas": 3}, "spec.serving.autoscaling.metric"),
    _scaled("scale to zero", "minReplicas", 0),
    _scaled("too many at most", "maxReplicas", 101),
    _scaled("fewest above most", "minReplicas", 4, "spec.serving.autoscaling"),
    _scaled("a metric of somebody else", "metric", "vector(1)"),
    _scaled("no target", "target", 0),
    _scaled("a target too high", "target", 100_001),
    _bad(
        SERVICE,
        "more than everything",
        "spec.serving.autoscaling",
        {**_SCALED, "metric": "CPU", "target": 101},
        "spec.serving.autoscaling",
    ),
    _bad(SERVICE, "another strategy", "spec.serving.rolloutStrategy", "BlueGreen"),
    _bad(SERVICE, "no quantity", "spec.serving.resources.limits.memory", "8 GB"),
    _bad(SERVICE, "negative quantity", "spec.serving.resources.limits.memory", "-1Gi"),
    _bad(SERVICE, "negative number", "spec.serving.resources.limits.cpu", -1),
    _bad(SERVICE, "a fraction as number", "spec.serving.resources.limits.cpu", 0.5),
    _bad(
        SERVICE, "braces in requests", "spec.serving.resources.requests", {"{{.Name}}": "1"}, "spec.serving.resources"
    ),
    _bad(SERVICE, "braces in limits", "spec.serving.resources.limits", {"{{.Name}}": "1"}, "spec.serving.resources"),
    _bad(SERVICE, "too many names", "spec.serving.resources.limits", {f"example.com/{n}": 1 for n in range(9)}),
    _bad(SERVICE, "its own id", "spec.model.aliases", ["llama"], "spec.model"),
    _bad(SERVICE, "twice", "spec.model.aliases", ["a", "a"]),
    _bad(SERVICE, "too many", "spec.model.aliases", [f"a{n}" for n in range(9)]),
    _bad(SERVICE, "a flag", "spec.model.aliases", ["--trust-remote-code"], "spec.model.aliases[0]"),
    _bad(
        SERVICE,
        "two runtimes",
        "spec.serving",
        {"runtime": "vllm-cpu", "runtimeRef": {"kind": "ServingRuntime", "name": "a"}},
        "spec.serving",
    ),
    _bad(SERVICE, "unknown kind", "spec.serving.runtimeRef", {"kind": "Pod", "name": "a"}, "spec.serving.runtimeRef"),
    _bad(
        SERVICE,
        "another namespace",
        "spec.serving.runtimeRef",
        {"kind": "ServingRuntime", "name": "other/runtime"},
        "spec.serving.runtimeRef.name",
    ),
    _bad(SERVICE, "a space", "spec.serving.image", "a b"),
    _bad(SERVICE, "template braces", "spec.serving.image", "registry.example.com/{{.Name}}"),
    _bad(SERVICE, "a flag of the operator's", "spec.serving.args", ["--seed=1", "--port=80"], "spec.serving.args"),
    _bad(SERVICE, "a value on its own", "spec.serving.args", ["--dtype", "auto"], "spec.serving.args[1]"),
    _bad(SERVICE, "a short flag", "spec.serving.args", ["-tp=2"], "spec.serving.args[0]"),
    _bad(SERVICE, "underscores", "spec.serving.args", ["--max_model_len=2"], "spec.serving.args[0]"),
    _bad(SERVICE, "the end of flags", "spec.serving.args", ["--"], "spec.serving.args[0]"),
    _bad(SERVICE, "two lines", "spec.serving.args", ["--seed=1\n--port=80"], "spec.serving.args[0]"),
    _bad(SERVICE, "template braces", "spec.serving.args", ["--hf-overrides={{.Name}}"], "spec.serving.args[0]"),
    _bad(SERVICE, "the key", "spec.serving.env", [{"name": "VLLM_API_KEY", "value": "a"}], "spec.serving.env[0]"),
    _bad(SERVICE, "a token", "spec.serving.env", [{"name": "HF_TOKEN", "value": "a"}], "spec.serving.env[0]"),
    _bad(SERVICE, "the port", "spec.serving.env", [{"name": "VLLM_PORT", "value": "1"}], "spec.serving.env[0]"),
    _bad(SERVICE, "code", "spec.serving.env", [{"name": "PYTHONPATH", "value": "/a"}], "spec.serving.env[0]"),
    _bad(SERVICE, "template braces", "spec.serving.env", [{"name": "A", "value": "{{.Name}}"}], "spec.serving.env[0]"),
    _bad(SERVICE, "twice", "spec.serving.env", [{"name": "A", "value": "1"}] * 2),
    _bad(SERVICE, "a sentence", "spec.serving.nodeSelector", {"disk": "very fast"}),
    _bad(SERVICE, "no key", "spec.serving.tolerations", [{"value": "a"}], "spec.serving.tolerations[0]"),
    _bad(
        SERVICE,
        "a value that nobody looks at",
        "spec.serving.tolerations",
        [{"key": "a", "operator": "Exists", "value": "b"}],
        "spec.serving.tolerations[0]",
    ),
    _bad(
        SERVICE,
        "seconds without end",
        "spec.serving.tolerations",
        [{"key": "a", "effect": "NoSchedule", "tolerationSeconds": 5}],
        "spec.serving.tolerations[0]",
    ),
    _bad(SERVICE, "a list", "spec.serving.affinity", {"podAffinity": []}, "spec.serving.affinity.podAffinity"),
    _bad(
        SERVICE, "a path", "spec.serving.imagePullSecrets", [{"name": "../other"}], "spec.serving.imagePullSecrets[0]"
    ),
    _bad(SERVICE, "another namespace", "spec.serving.serviceAccountName", "kube-system/admin"),
    _bad(
        SERVICE,
        "hardware twice",
        "spec.serving",
        {"hardwareProfile": {"name": "large"}, "nodeSelector": {"a": "b"}},
        "spec.serving",
    ),
    _bad(
        SERVICE,
        "hardware twice, tolerated",
        "spec.serving",
        {"hardwareProfile": {"name": "large"}, "tolerations": [{"operator": "Exists"}]},
        "spec.serving",
    ),
    _bad(SERVICE, "a path", "spec.serving.chatTemplateRef", {"name": "a", "key": "../b/c"}, "spec.serving.chatTem"),
    _bad(SERVICE, "two flags", "spec.serving.toolCallParser", "hermes --port=80"),
    _bad(SERVICE, "no unit", "spec.serving.startupTimeout", "30"),
    _bad(SERVICE, "a number", "spec.serving.startupTimeout", 30),
    _bad(SERVICE, "too short", "spec.serving.startupTimeout", "59s"),
    _bad(SERVICE, "too long", "spec.serving.startupTimeout", "24h1ms"),
    _bad(SERVICE, "too long", "spec.api.timeouts.connect", "61s"),
    _bad(SERVICE, "too short", "spec.api.timeouts.read", "999ms"),
    _bad(SERVICE, "a path", "spec.api.cors.allowedOrigins.0", "https://example.com/"),
    _bad(SERVICE, "header injection", "spec.api.cors.allowedOrigins.0", "https://a\r\nX: y"),
    _bad(SERVICE, "origin twice", "spec.api.cors.allowedOrigins", ["*", "*"]),
    _bad(SERVICE, "no burst", "spec.api.rateLimit", {"requestsPerSecond": 20}, "spec.api.rateLimit"),
    _bad(SERVICE, "nobody", "spec.api.rateLimit", {"requestsPerSecond": 0, "burst": 0}, "spec.api.rateLimit"),
    _bad(
        SERVICE, "a Liquid key", "spec.api.rateLimit", {"requestsPerSecond": "{{x}}", "burst": 0}, "spec.api.rateLimit"
    ),
    _bad(SERVICE, "unknown mode", "spec.api.promotion.mode", "Never"),
    _bad(SERVICE, "too short", "spec.api.promotion.approved", "0123456789abcde"),
    _bad(SERVICE, "too long", "spec.api.promotion.approved", "0123456789abcdef0"),
    _bad(SERVICE, "capitals", "spec.api.promotion.approved", "0123456789ABCDEF"),
    _bad(SERVICE, "a line feed at the end", "spec.api.promotion.approved", "0123456789abcdef\n"),
    _bad(SERVICE, "unknown mode", "spec.api.networkPolicy", "Off"),
    _bad(SERVICE, "no ConfigMap", "spec.api.openAPI", {"mode": "ConfigMap"}),
    _bad(SERVICE, "a ConfigMap that nobody reads", "spec.api.openAPI", {"configMapRef": {"name": "a", "key": "b"}}),
    _bad(SERVICE, "unknown mode", "spec.api.openAPI", {"mode": "Off"}),
    _bad(SERVICE, "one character, which 3scale refuses", "spec.plans.1.name", "p"),
    _bad(SERVICE, "a dot, which 3scale refuses", "spec.plans.1.name", "plan.1"),
    _bad(SERVICE, "name twice", "spec.plans.1.name", "standard", "spec.plans"),
    _bad(SERVICE, "no name", "spec.plans.1.name", ABSENT),
    _bad(SERVICE, "yes", "spec.plans.1.published", "yes"),
    _bad(SERVICE, "negative", "spec.plans.1.trialDays", -1),
    _bad(SERVICE, "zero blocks everybody", "spec.plans.0.limits.0.value", 0),
    _bad(SERVICE, "unknown metric", "spec.plans.0.limits.0.metric", "hits"),
    _bad(SERVICE, "unknown period", "spec.plans.0.limits.0.period", "day"),
    _bad(SERVICE, "metric and period twice", "spec.plans.0.limits", [_LIMIT, {**_LIMIT, "value": 2}]),
    _bad(SERVICE, "a number", "spec.plans.0.pricing.monthlyFee", 9.9),
    _bad(SERVICE, "one decimal", "spec.plans.0.pricing.monthlyFee", "9.9"),
    _bad(SERVICE, "no decimals", "spec.plans.0.pricing.setupFee", "9"),
    _bad(SERVICE, "negative", "spec.plans.0.pricing.setupFee", "-1.00"),
    _bad(SERVICE, "too much", "spec.plans.0.pricing.setupFee", "1000000000.00"),
    _bad(SERVICE, "a currency", "spec.plans.0.pricing.setupFee", "9.00 EUR"),
    _bad(SERVICE, "missing", "spec.plans.0.pricing.perMillionTokens", {"prompt": "1"}, "spec.plans[0].pricing"),
    _bad(
        SERVICE,
        "seven decimals",
        "spec.plans.0.pricing.perMillionTokens",
        {"prompt": "0.0000001", "completion": "0"},
        "spec.plans[0].pricing.perMillionTokens.prompt",
    ),
    _bad(SERVICE, "unknown plan", "spec.developers.0.plan", "gold", "spec"),
    _bad(SERVICE, "too short", "spec.developers.0.name", "me"),
    _bad(SERVICE, "no address", "spec.developers.0.email", "dev1"),
    _bad(SERVICE, "two addresses", "spec.developers.0.email", "a@b.example,c@d.example"),
    _bad(SERVICE, "unknown policy", "spec.managementPolicy", "Watch"),
    _bad(SERVICE, "not an object", "spec.serving", []),
    _bad(SUBSCRIPTION, "too long", "metadata.name", "a" * 64, "metadata"),
    _bad(SUBSCRIPTION, "missing", "spec.modelRef", ABSENT),
    _bad(SUBSCRIPTION, "missing", "spec.modelRef.name", ABSENT),
    _bad(SUBSCRIPTION, "missing", "spec.user", ABSENT),
    _bad(SUBSCRIPTION, "a path", "spec.modelRef.namespace", "../kube-system"),
    _bad(SUBSCRIPTION, "capitals", "spec.user.username", "Dev1"),
    _bad(SUBSCRIPTION, "too long", "spec.user.username", "a" * 41),
    _bad(SUBSCRIPTION, "no domain", "spec.user.email", "dev1@localhost"),
    _bad(SUBSCRIPTION, "a second header", "spec.user.email", "dev1@example.com\nBcc: all@example.com"),
    _bad(SUBSCRIPTION, "two addresses", "spec.user.email", "dev1@example.com,dev2@example.com"),
    _bad(SUBSCRIPTION, "markup", "spec.user.email", "<b>dev1@example.com"),
    _bad(SUBSCRIPTION, "Liquid", "spec.user.username", "{{provider}}"),
    _bad(SUBSCRIPTION, "another account's path", "spec.account", "../team-b.dev1"),
    _bad(SUBSCRIPTION, "a dot, which parts namespace and account", "spec.account", "team-b.dev1"),
    _bad(SUBSCRIPTION, "a path", "spec.user.passwordSecretRef.name", "../other"),
    _bad(SUBSCRIPTION, "a dot", "spec.account", "dev.1"),
    _bad(SUBSCRIPTION, "a slash", "spec.secretName", "other/secret"),
    _bad(PLATFORM, "missing", "spec.threescale", ABSENT),
    _bad(PLATFORM, "missing", "spec.threescale.namespace", ABSENT),
    _bad(PLATFORM, "missing", "spec.threescale.providerAccountSecretRef.name", ABSENT),
    _bad(PLATFORM, "unknown value", "spec.threescale.billing", "Sometimes"),
    _bad(PLATFORM, "a wildcard", "spec.gateway.namespaces.0", "*"),
    _bad(PLATFORM, "too long", "spec.gateway.configurationCache", "25h"),
    _bad(PLATFORM, "namespace twice", "spec.monitoring.namespaces", ["a", "a"]),
    _prometheus("credentials", "https://user:password@prometheus.example.com"),
    _prometheus("a query", "https://prometheus.example.com/?a=b"),
    _prometheus("another scheme", "file:///etc/passwd"),
    _prometheus("no address", ABSENT),
    _bad(PLATFORM, "no version", "spec.runtimes.0.version", "latest"),
    _bad(PLATFORM, "no image", "spec.runtimes.0.image", ABSENT),
    _bad(PLATFORM, "a space", "spec.runtimes.0.image", "a b"),
    _bad(PLATFORM, "a hyphen", "spec.runtimes.0.env.0.name", "MY-VAR"),
    _bad(PLATFORM, "template braces", "spec.runtimes.0.env.0.value", "{{.Name}}"),
    _bad(PLATFORM, "the key", "spec.runtimes.0.env.0.name", "VLLM_API_KEY", "spec.runtimes[0].env[0]"),
    _bad(PLATFORM, "a value on its own", "spec.runtimes.0.args", ["auto"], "spec.runtimes[0].args[0]"),
    _bad(PLATFORM, "a sentence", "spec.runtimes.0.nodeSelector", {"disk": "very fast"}),
    _bad(PLATFORM, "no value", "spec.runtimes.0.env.0.value", ABSENT),
    _bad(
        PLATFORM,
        "two configurations",
        "spec.gateway.policies",
        [{**_POLICY, "configuration": {}, "configurationSecretRef": {"name": "a"}}],
        "spec.gateway.policies[0]",
    ),
    _bad(PLATFORM, "nowhere", "spec.gateway.policies", [{"name": "tls"}], "spec.gateway.policies[0]"),
    _bad(
        PLATFORM,
        "a path",
        "spec.gateway.policies",
        [{**_POLICY, "name": "../apicast"}],
        "spec.gateway.policies[0].name",
    ),
    _bad(
        PLATFORM,
        "a number",
        "spec.gateway.policies",
        [{**_POLICY, "version": 1}],
        "spec.gateway.policies[0].version",
    ),
    _bad(
        PLATFORM,
        "a list",
        "spec.gateway.policies",
        [{**_POLICY, "configuration": []}],
        "spec.gateway.policies[0].configuration",
    ),
    _bad(
        PLATFORM,
        "another namespace",
        "spec.gateway.policies",
        [{**_POLICY, "configurationSecretRef": {"name": "other/secret"}}],
        "spec.gateway.policies[0].configurationSecretRef.name",
    ),
    _bad(PLATFORM, "too many", "spec.gateway.policies", [_POLICY] * 11),
    _bad(PLATFORM, "no size", "spec.storage.minio", {"namespace": "minio"}, "spec.storage.minio"),
    _bad(PLATFORM, "no quantity", "spec.storage.minio", {**_MINIO, "size": "big"}, "spec.storage.minio.size"),
    _bad(PLATFORM, "beside 3scale", "spec.storage.minio", {**_MINIO, "namespace": "3scale"}, "spec"),
    _bad(PLATFORM, "a path", "spec.storage.minio", {**_MINIO, "namespace": "../a"}, "spec.storage.minio.namespace"),
    _bad(PLATFORM, "two words", "spec.storage.minio", {**_MINIO, "image": "a b"}, "spec.storage.minio.image"),
    _bad(PLATFORM, "a sign", "spec.currency", "€"),
    _bad(PLATFORM, "small letters", "spec.currency", "eur"),
    _bad(PLATFORM, "plan twice", "spec.defaultPlans", [{"name": "free"}, {"name": "free"}]),
)

UNKNOWN_FIELDS = (
    _bad(SERVICE, "a typing error", "spec.modle", {}),
    _bad(SERVICE, "a field of a later version", "spec.serving.disruptionBudget", {"minAvailable": 1}),
    _bad(SERVICE, "an attribute's name", "spec.display_name", "Llama"),
    _bad(SUBSCRIPTION, "a typing error", "spec.user.mail", "dev1@example.com"),
    _bad(PLATFORM, "a field of a later version", "spec.quotas", {}),
)


def _change(document: Document, title: str, path: str, value: Any, at: str = "") -> Change:
    return Change(f"{title}: {path}", document, changed(document, path, value), at)


WITH_MINIO = changed(PLATFORM, "spec.storage.minio", _MINIO)
CHANGES = (
    Change("nothing changes", SERVICE, SERVICE),
    _change(SERVICE, "more replicas", "spec.serving.replicas", 2),
    _change(SERVICE, "the default said aloud", "spec.platformRef", {"name": "default"}),
    _change(IN_BUCKET, "more room", "spec.storage.quota", "100Gi"),
    _change(IN_BUCKET, "no limit any more", "spec.storage.quota", ABSENT, "spec.storage"),
    _change(IN_BUCKET, "data that goes with the service", "spec.storage.deletionPolicy", "Delete"),
    _change(IN_BUCKET, "another backend", "spec.storage.backend", "MinIO", "spec.storage.backend"),
    Change("the bucket is left", IN_BUCKET, SERVICE),
    _change(SERVICE, "another platform", "spec.platformRef.name", "other", "spec.platformRef"),
    _change(SUBSCRIPTION, "another plan", "spec.plan", "premium"),
    _change(SUBSCRIPTION, "another Secret", "spec.secretName", "other"),
    _change(SUBSCRIPTION, "another model", "spec.modelRef.name", "other", "spec.modelRef"),
    _change(SUBSCRIPTION, "the model's namespace goes", "spec.modelRef.namespace", ABSENT, "spec.modelRef"),
    _change(SUBSCRIPTION, "another account", "spec.account", "dev2", "spec.account"),
    _change(SUBSCRIPTION, "another user", "spec.user.username", "dev2", "spec.user"),
    _change(SUBSCRIPTION, "the password goes", "spec.user.passwordSecretRef", ABSENT, "spec.user"),
    _change(PLATFORM, "no billing", "spec.threescale.billing", "Disabled"),
    _change(WITH_MINIO, "more room", "spec.storage.minio.size", "60Gi"),
    _change(WITH_MINIO, "no MinIO", "spec.storage.minio", ABSENT),
    _change(WITH_MINIO, "another namespace", "spec.storage.minio.namespace", "other", "spec.storage"),
    _change(WITH_MINIO, "another class", "spec.storage.minio.storageClassName", "slow", "spec.storage"),
    _change(WITH_MINIO, "the default class", "spec.storage.minio.storageClassName", ABSENT, "spec.storage"),
    _change(PLATFORM, "another 3scale", "spec.threescale.namespace", "other", "spec.threescale.namespace"),
)
