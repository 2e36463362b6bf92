"""The static resource table: every kind that the operator writes or reads, and in which order children may go.

There is no discovery: what is not in this table is never touched. RBAC and the watches are generated from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Flag, auto
from typing import Final


class Use(Flag):
    """What the operator does with a kind."""

    WATCH = auto()
    """List and watch in all namespaces."""
    READ = auto()
    """Get single objects by name."""
    WRITE = auto()
    """Create, patch and delete: children of ours."""
    STATUS = auto()
    """Write the status subresource: our own kinds."""
    PATCH = auto()
    """Patch objects of others, in the 3scale namespaces only and where a ModelPlatform allows it."""
    ANNOTATE = auto()
    """Patch an annotation of objects of others, in the 3scale namespaces only."""
    SWEEP = auto()
    """Delete what KServe has made of an InferenceService of ours and forgets to delete."""


@dataclass(frozen=True, slots=True, order=True)
class Kind:
    """A resource type of the API: `api_version` and `name` as in a manifest, `plural` as in a URL."""

    group: str
    version: str
    name: str
    plural: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """Return `group/version`, or the version alone for the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def __str__(self) -> str:
        return self.name


def _maas(name: str, plural: str, *, namespaced: bool = True) -> Kind:
    return Kind("maas-operator.io", "v1alpha1", name, plural, namespaced)


def _threescale(name: str, plural: str) -> Kind:
    return Kind("capabilities.3scale.net", "v1beta1", name, plural)


MODEL_SERVICE: Final = _maas("ModelService", "modelservices")
MODEL_SUBSCRIPTION: Final = _maas("ModelSubscription", "modelsubscriptions")
MODEL_PLATFORM: Final = _maas("ModelPlatform", "modelplatforms", namespaced=False)

SERVING_RUNTIME: Final = Kind("serving.kserve.io", "v1alpha1", "ServingRuntime", "servingruntimes")
CLUSTER_SERVING_RUNTIME: Final = Kind(
    "serving.kserve.io", "v1alpha1", "ClusterServingRuntime", "clusterservingruntimes", namespaced=False
)
INFERENCE_SERVICE: Final = Kind("serving.kserve.io", "v1beta1", "InferenceService", "inferenceservices")

BACKEND: Final = _threescale("Backend", "backends")
PRODUCT: Final = _threescale("Product", "products")
PROXY_CONFIG_PROMOTE: Final = _threescale("ProxyConfigPromote", "proxyconfigpromotes")
DEVELOPER_ACCOUNT: Final = _threescale("DeveloperAccount", "developeraccounts")
DEVELOPER_USER: Final = _threescale("DeveloperUser", "developerusers")
ACTIVE_DOC: Final = _threescale("ActiveDoc", "activedocs")
APPLICATION: Final = _threescale("Application", "applications")
APPLICATION_AUTH: Final = _threescale("ApplicationAuth", "applicationauths")
CUSTOM_POLICY_DEFINITION: Final = _threescale("CustomPolicyDefinition", "custompolicydefinitions")
API_MANAGER: Final = Kind("apps.3scale.net", "v1alpha1", "APIManager", "apimanagers")

OBJECT_BUCKET_CLAIM: Final = Kind("objectbucket.io", "v1alpha1", "ObjectBucketClaim", "objectbucketclaims")

SERVICE: Final = Kind("", "v1", "Service", "services")
SECRET: Final = Kind("", "v1", "Secret", "secrets")
CONFIG_MAP: Final = Kind("", "v1", "ConfigMap", "configmaps")
POD: Final = Kind("", "v1", "Pod", "pods")
NAMESPACE: Final = Kind("", "v1", "Namespace", "namespaces", namespaced=False)
NETWORK_POLICY: Final = Kind("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies")
DEPLOYMENT: Final = Kind("apps", "v1", "Deployment", "deployments")
STATEFUL_SET: Final = Kind("apps", "v1", "StatefulSet", "statefulsets")
JOB: Final = Kind("batch", "v1", "Job", "jobs")
PERSISTENT_VOLUME_CLAIM: Final = Kind("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims")
STORAGE_CLASS: Final = Kind("storage.k8s.io", "v1", "StorageClass", "storageclasses", namespaced=False)
HORIZONTAL_POD_AUTOSCALER: Final = Kind("autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers")
SCALED_OBJECT: Final = Kind("keda.sh", "v1alpha1", "ScaledObject", "scaledobjects")
EVENT: Final = Kind("events.k8s.io", "v1", "Event", "events")
LEASE: Final = Kind("coordination.k8s.io", "v1", "Lease", "leases")
ROUTE: Final = Kind("route.openshift.io", "v1", "Route", "routes")
CUSTOM_RESOURCE_DEFINITION: Final = Kind(
    "apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", namespaced=False
)

_OWN = Use.WATCH | Use.READ | Use.STATUS
_CHILD = Use.WATCH | Use.READ | Use.WRITE

TABLE: Final[dict[Kind, Use]] = {
    MODEL_SERVICE: _OWN,
    MODEL_SUBSCRIPTION: _OWN | Use.WRITE,
    MODEL_PLATFORM: _OWN,
    SERVING_RUNTIME: _CHILD,
    # By name only: those that ModelServices refer to.
    CLUSTER_SERVING_RUNTIME: Use.READ,
    INFERENCE_SERVICE: _CHILD,
    BACKEND: _CHILD,
    PRODUCT: _CHILD,
    PROXY_CONFIG_PROMOTE: _CHILD,
    ACTIVE_DOC: _CHILD,
    DEVELOPER_ACCOUNT: _CHILD,
    DEVELOPER_USER: _CHILD,
    APPLICATION: _CHILD,
    APPLICATION_AUTH: _CHILD,
    CUSTOM_POLICY_DEFINITION: _CHILD,
    API_MANAGER: Use.WATCH | Use.READ | Use.PATCH,
    OBJECT_BUCKET_CLAIM: _CHILD,
    STORAGE_CLASS: Use.READ,
    SERVICE: _CHILD,
    NETWORK_POLICY: _CHILD,
    STATEFUL_SET: _CHILD,
    JOB: _CHILD,
    PERSISTENT_VOLUME_CLAIM: _CHILD,
    # Secrets are watched in the 3scale namespaces only, by a watch of their own: never cluster-wide.
    SECRET: Use.READ | Use.WRITE,
    # By name only: certificates, what ModelServices name, addresses of buckets, and what sets KServe up.
    CONFIG_MAP: Use.READ,
    POD: Use.WATCH,
    DEPLOYMENT: Use.WATCH | Use.READ,
    # By name only, and only those of models that are scaled: each writes its status every few seconds.
    HORIZONTAL_POD_AUTOSCALER: Use.READ | Use.SWEEP,
    SCALED_OBJECT: Use.WATCH | Use.READ | Use.SWEEP,
    ROUTE: Use.WATCH | Use.READ | Use.ANNOTATE,
    NAMESPACE: Use.WATCH | Use.READ,
    CUSTOM_RESOURCE_DEFINITION: Use.WATCH | Use.READ,
}

GOES_AFTER: Final[dict[Kind, frozenset[Kind]]] = {
    SERVING_RUNTIME: frozenset({INFERENCE_SERVICE}),
    NETWORK_POLICY: frozenset({INFERENCE_SERVICE}),
    OBJECT_BUCKET_CLAIM: frozenset({INFERENCE_SERVICE}),
    APPLICATION: frozenset({APPLICATION_AUTH}),
    DEVELOPER_ACCOUNT: frozenset({APPLICATION}),
    # 3scale refuses to delete an account's last user, and takes it along with the account.
    DEVELOPER_USER: frozenset({APPLICATION, DEVELOPER_ACCOUNT}),
    PRODUCT: frozenset({MODEL_SUBSCRIPTION, PROXY_CONFIG_PROMOTE, ACTIVE_DOC}),
    BACKEND: frozenset({PRODUCT}),
    SECRET: frozenset(
        {ACTIVE_DOC, APPLICATION, APPLICATION_AUTH, DEVELOPER_ACCOUNT, DEVELOPER_USER, INFERENCE_SERVICE}
    ),
}
"""A child of the key's kind is deleted only when its owner has no child of these kinds left."""

OUTLIVED: Final = frozenset({ACTIVE_DOC})
"""Kinds whose object in 3scale stays when they go. They carry our finalizer until the operator has deleted it there."""

OF_MINIO: Final = frozenset({STATEFUL_SET, JOB, PERSISTENT_VOLUME_CLAIM})
"""Kinds that are written in the namespace of a MinIO only; elsewhere the operator has no permission to."""

RETAINED: Final = frozenset({OBJECT_BUCKET_CLAIM})
"""Kinds that hold data. They have no ownerReference and stay when their owner goes, whoever deletes it, unless it says
otherwise; a later owner of the same name takes them over."""

_BY_TYPE: Final = {(kind.api_version, kind.name): kind for kind in [*TABLE, EVENT, LEASE]}


def kind_of(api_version: str, name: str) -> Kind:
    """Return the table's kind for a manifest's `apiVersion` and `kind`; KeyError for one that we do not know."""
    return _BY_TYPE[api_version, name]
