"""Condition types and reasons."""

from enum import StrEnum
from typing import Final


class ConditionType(StrEnum):
    """What a condition is about."""

    READY = "Ready"
    """The sum of the stages."""
    RECONCILING = "Reconciling"
    """The operator works on it or waits for somebody who does; abnormal, so False when all is well."""
    STALLED = "Stalled"
    """Nothing moves until a person acts; abnormal, so False when all is well."""
    PLATFORM_READY = "PlatformReady"
    """The ModelPlatform is there and ready."""
    STORAGE_READY = "StorageReady"
    """A ModelService's bucket, or a ModelPlatform's MinIO, can be used; only there where spec.storage asks for one. A
    bucket is part of Ready only while the model waits for it."""
    MODEL_READY = "ModelReady"
    """The model answers inside the cluster."""
    GATEWAY_READY = "GatewayReady"
    """3scale has this generation of product and backend."""
    PROMOTED = "Promoted"
    """This generation's gateway configuration is in production."""
    LIVE = "Live"
    """Every gateway has dropped the configuration before it."""
    DEVELOPERS_READY = "DevelopersReady"
    """The subscriptions of spec.developers are ready."""
    DOCUMENTATION_READY = "DocumentationReady"
    """The developer portal has the document of this generation; not part of Ready."""
    MODEL_ACCEPTED = "ModelAccepted"
    """The model is there and lets this subscription in."""
    APPROVED = "Approved"
    """The plan asks for no approval, or 3scale has it."""
    ACCOUNT_READY = "AccountReady"
    """Account and user are there in 3scale."""
    KEY_READY = "KeyReady"
    """The key works and lies in the consumer's Secret."""
    THREESCALE_READY = "ThreescaleReady"
    """3scale's kinds, namespace and provider account can be used."""
    POLICIES_READY = "PoliciesReady"
    """The policies of spec.gateway.policies can stand in the chains."""
    TOKEN_POLICY_READY = "TokenPolicyReady"
    """The gateways can count tokens; not part of Ready, since limits of requests work without it."""


MODEL_SERVICE_CONDITIONS: Final = (
    ConditionType.READY,
    ConditionType.RECONCILING,
    ConditionType.STALLED,
    ConditionType.PLATFORM_READY,
    ConditionType.STORAGE_READY,
    ConditionType.MODEL_READY,
    ConditionType.GATEWAY_READY,
    ConditionType.PROMOTED,
    ConditionType.LIVE,
    ConditionType.DOCUMENTATION_READY,
    ConditionType.DEVELOPERS_READY,
)
MODEL_SUBSCRIPTION_CONDITIONS: Final = (
    ConditionType.READY,
    ConditionType.RECONCILING,
    ConditionType.STALLED,
    ConditionType.MODEL_ACCEPTED,
    ConditionType.APPROVED,
    ConditionType.ACCOUNT_READY,
    ConditionType.KEY_READY,
)
MODEL_PLATFORM_CONDITIONS: Final = (
    ConditionType.READY,
    ConditionType.RECONCILING,
    ConditionType.STALLED,
    ConditionType.THREESCALE_READY,
    ConditionType.POLICIES_READY,
    ConditionType.STORAGE_READY,
    ConditionType.TOKEN_POLICY_READY,
)


class Reason(StrEnum):
    """Why a condition has its status; `REASONS` explains each."""

    # All kinds
    READY = "Ready"
    SETTLED = "Settled"
    WAITING = "Waiting"
    PAUSED = "Paused"
    OBSERVING = "Observing"
    CHANGES_PENDING = "ChangesPending"
    DELETING = "Deleting"
    DELETION_BLOCKED = "DeletionBlocked"
    DELETION_FORCED = "DeletionForced"
    ACCEPTED = "Accepted"
    CONFLICT = "Conflict"
    CONTENDED = "Contended"
    DEPENDENCY_MISSING = "DependencyMissing"
    FORBIDDEN = "Forbidden"
    REJECTED = "Rejected"
    WEBHOOK_UNAVAILABLE = "WebhookUnavailable"
    NAMESPACE_TERMINATING = "NamespaceTerminating"
    INTERNAL_ERROR = "InternalError"
    INVALID_SPEC = "InvalidSpec"
    # PlatformReady
    PLATFORM_MISSING = "PlatformMissing"
    PLATFORM_NOT_READY = "PlatformNotReady"
    KSERVE_TOO_OLD = "KServeTooOld"
    # StorageReady
    STORAGE_NOT_OFFERED = "StorageNotOffered"
    STORAGE_CLASS_MISSING = "StorageClassMissing"
    STORAGE_SECRET_MISSING = "StorageSecretMissing"
    STORAGE_SECRET_INVALID = "StorageSecretInvalid"
    STORAGE_AUTHORITY_MISSING = "StorageAuthorityMissing"
    BUCKET_PENDING = "BucketPending"
    BUCKET_FAILED = "BucketFailed"
    BUCKET_DENIED = "BucketDenied"
    BUCKET_JOB_FAILED = "BucketJobFailed"
    # ModelReady
    NAME_TOO_LONG = "NameTooLong"
    RUNTIME_MISSING = "RuntimeMissing"
    CREDENTIALS_MISSING = "CredentialsMissing"
    CREDENTIALS_INVALID = "CredentialsInvalid"
    CLAIM_MISSING = "ClaimMissing"
    CLAIM_UNFIT = "ClaimUnfit"
    ARGUMENT_REFUSED = "ArgumentRefused"
    CHAT_TEMPLATE_MISSING = "ChatTemplateMissing"
    CHAT_TEMPLATE_INVALID = "ChatTemplateInvalid"
    DEPLOYMENT_MODE_FIXED = "DeploymentModeFixed"
    AUTOSCALING_UNAVAILABLE = "AutoscalingUnavailable"
    AUTOSCALER_FAILING = "AutoscalerFailing"
    STOPPED = "Stopped"
    MODEL_STARTING = "ModelStarting"
    MODEL_LOADING = "ModelLoading"
    ROLLING_OUT = "RollingOut"
    PODS_REFUSED = "PodsRefused"
    UNSCHEDULABLE = "Unschedulable"
    VOLUME_NOT_READY = "VolumeNotReady"
    POD_LOST = "PodLost"
    IMAGE_PULL_FAILED = "ImagePullFailed"
    CONTAINER_CRASHED = "ContainerCrashed"
    PROBE_FAILED = "ProbeFailed"
    OUT_OF_MEMORY = "OutOfMemory"
    MODEL_LOAD_FAILED = "ModelLoadFailed"
    MODEL_ACCESS_DENIED = "ModelAccessDenied"
    MODEL_NOT_FOUND = "ModelNotFound"
    RUNTIME_REFUSED = "RuntimeRefused"
    SERVING_FAILED = "ServingFailed"
    KSERVE_SILENT = "KServeSilent"
    STARTUP_TIMEOUT = "StartupTimeout"
    # GatewayReady, Promoted, Live
    GATEWAY_SYNCING = "GatewaySyncing"
    GATEWAY_SILENT = "GatewaySilent"
    GATEWAY_INVALID = "GatewayInvalid"
    GATEWAY_FAILED = "GatewayFailed"
    TOKEN_POLICY_MISSING = "TokenPolicyMissing"
    REMOTE_NAME_TAKEN = "RemoteNameTaken"
    METRIC_IN_USE = "MetricInUse"
    PLAN_IN_USE = "PlanInUse"
    PROMOTED = "Promoted"
    PROMOTING = "Promoting"
    PROMOTION_FAILED = "PromotionFailed"
    PROMOTION_NOT_APPROVED = "PromotionNotApproved"
    LIVE = "Live"
    GATEWAY_CACHING = "GatewayCaching"
    ROUTE_MISSING = "RouteMissing"
    ROUTE_TIMEOUT_NOT_SET = "RouteTimeoutNotSet"
    # DevelopersReady
    DOCUMENTATION_OFF = "DocumentationOff"
    DOCUMENT_MISSING = "DocumentMissing"
    DOCUMENT_INVALID = "DocumentInvalid"
    DOCUMENTATION_PENDING = "DocumentationPending"
    DOCUMENTATION_FAILED = "DocumentationFailed"
    NO_DEVELOPERS = "NoDevelopers"
    DEVELOPERS_PENDING = "DevelopersPending"
    DEVELOPERS_FAILED = "DevelopersFailed"
    # ModelSubscription
    MODEL_MISSING = "ModelMissing"
    MODEL_NOT_PUBLISHED = "ModelNotPublished"
    ACCESS_DENIED = "AccessDenied"
    PLAN_MISSING = "PlanMissing"
    PLAN_NOT_GRANTED = "PlanNotGranted"
    APPROVED = "Approved"
    APPROVAL_PENDING = "ApprovalPending"
    ACCOUNT_PENDING = "AccountPending"
    ACCOUNT_FAILED = "AccountFailed"
    ACCOUNT_MISMATCH = "AccountMismatch"
    USERNAME_TAKEN = "UsernameTaken"
    PASSWORD_MISSING = "PasswordMissing"
    PASSWORD_TOO_SHORT = "PasswordTooShort"
    KEY_PENDING = "KeyPending"
    KEY_FAILED = "KeyFailed"
    SUSPENDED = "Suspended"
    # ModelPlatform
    NAMESPACE_MISSING = "NamespaceMissing"
    PROVIDER_SECRET_MISSING = "ProviderSecretMissing"
    PROVIDER_SECRET_INVALID = "ProviderSecretInvalid"
    AUTHORITY_MISSING = "AuthorityMissing"
    TOKEN_REFUSED = "TokenRefused"
    ADMIN_API_UNAVAILABLE = "AdminAPIUnavailable"
    ADMIN_API_REFUSED = "AdminAPIRefused"
    # StorageReady
    STORAGE_NAMESPACE_MISSING = "StorageNamespaceMissing"
    STORAGE_IN_USE = "StorageInUse"
    STORAGE_STARTING = "StorageStarting"
    VOLUME_NOT_GROWN = "VolumeNotGrown"
    VOLUME_PENDING = "VolumePending"
    VOLUME_SHRINKS = "VolumeShrinks"
    # PoliciesReady
    POLICY_REFUSED = "PolicyRefused"
    POLICY_INVALID = "PolicyInvalid"
    POLICY_NOT_MOUNTED = "PolicyNotMounted"
    POLICY_SECRET_MISSING = "PolicySecretMissing"
    # TokenPolicyReady
    TOKEN_POLICY_OFF = "TokenPolicyOff"
    TOKEN_POLICY_NOT_REGISTERED = "TokenPolicyNotRegistered"
    API_MANAGER_MISSING = "APIManagerMissing"
    TOKEN_POLICY_NOT_MOUNTED = "TokenPolicyNotMounted"
    TOKEN_POLICY_ROLLING_OUT = "TokenPolicyRollingOut"
    TOKEN_POLICY_OUTDATED = "TokenPolicyOutdated"
