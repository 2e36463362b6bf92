"""What each reason means, and what to do about it."""

from dataclasses import dataclass
from typing import Final

from maas_operator.api.reasons import Reason


@dataclass(frozen=True, slots=True)
class ReasonDoc:
    """What a reason means and what to do about it."""

    meaning: str
    remedy: str


_NOTHING = "Nothing to do."
_WAIT = "Wait; the operator goes on by itself."

REASONS: Final[dict[Reason, ReasonDoc]] = {
    Reason.READY: ReasonDoc("All is well.", _NOTHING),
    Reason.SETTLED: ReasonDoc("There is nothing left to do.", _NOTHING),
    Reason.WAITING: ReasonDoc("An earlier stage is not done.", "Look at the stage that the message names."),
    Reason.PAUSED: ReasonDoc(
        "managementPolicy is Paused: nothing is changed, except that deleting works.",
        "Set spec.managementPolicy to Active.",
    ),
    Reason.OBSERVING: ReasonDoc(
        "managementPolicy is Observe: nothing is changed, except that deleting works; the other conditions tell what is"
        " there.",
        "Set spec.managementPolicy to Active to have the operator act.",
    ),
    Reason.CHANGES_PENDING: ReasonDoc(
        "managementPolicy is Observe, and what is there is not as the spec wants it: status.pendingChanges tells what"
        " an active operator would change, and status.pendingConsequences what follows from it.",
        "Set spec.managementPolicy to Active to have the changes made, or take the edit back.",
    ),
    Reason.DELETING: ReasonDoc(
        "The object's children are being deleted, in order; the message names those that are left.",
        "Wait. If one does not go, bring its controller back: for 3scale objects the 3scale-operator, 3scale and the"
        " provider account Secret.",
    ),
    Reason.DELETION_BLOCKED: ReasonDoc(
        "Others still need the object, or 3scale can not delete what is left of it; the message says which, and why.",
        "Delete the others first; or do what the message says, and deleting goes on by itself.",
    ),
    Reason.DELETION_FORCED: ReasonDoc(
        "An Event, no condition: the annotation maas-operator.io/force-delete has let the object go before all that was"
        " made for it was deleted. What is left, which the Event names, is being deleted if its controller is there.",
        "Bring 3scale and the 3scale-operator back; or delete by hand, in the cluster and in 3scale, what is left.",
    ),
    Reason.CONFLICT: ReasonDoc(
        "An object with a name that the operator needs is there and is not the operator's; it was not touched.",
        "Rename or delete the object that the message names, or rename this one.",
    ),
    Reason.ACCEPTED: ReasonDoc("The model lets this subscription in.", _NOTHING),
    Reason.CONTENDED: ReasonDoc(
        "Somebody keeps changing an object of the operator's back; the operator has stopped to fight.",
        "Stop the other writer, which the message names, or pause this object.",
    ),
    Reason.NAMESPACE_TERMINATING: ReasonDoc("The namespace is being deleted.", _NOTHING),
    Reason.DEPENDENCY_MISSING: ReasonDoc(
        "A kind of KServe or 3scale is not installed in the cluster.",
        "Install the operator that brings the kind in the message; it is looked for again every minute.",
    ),
    Reason.FORBIDDEN: ReasonDoc(
        "The Kubernetes API denies the operator a call.",
        "Apply the operator's RBAC of this version; the message names verb and resource.",
    ),
    Reason.REJECTED: ReasonDoc(
        "The Kubernetes API or a webhook refuses an object that the operator renders.",
        "Change the field that the message names; if it is none of yours, report a bug.",
    ),
    Reason.WEBHOOK_UNAVAILABLE: ReasonDoc(
        "The Kubernetes API can not ask a webhook about an object that the operator writes: its controller is down, or"
        " is just being upgraded. What is there stays; it is tried again every minute.",
        "Bring the controller of the webhook back, which the message names.",
    ),
    Reason.INTERNAL_ERROR: ReasonDoc(
        "The operator failed in a way that nobody thought of; it tries again, more and more slowly.",
        "Report a bug with the operator's log of the time.",
    ),
    Reason.INVALID_SPEC: ReasonDoc(
        "The stored object, or one that it refers to, is not valid for this version of the operator.",
        "Correct the fields that the message names.",
    ),
    Reason.PLATFORM_MISSING: ReasonDoc(
        "The ModelPlatform of spec.platformRef does not exist.",
        "Create it, or create the ModelService with another platformRef.",
    ),
    Reason.PLATFORM_NOT_READY: ReasonDoc("The ModelPlatform is not ready.", "Look at the ModelPlatform's conditions."),
    Reason.STORAGE_NOT_OFFERED: ReasonDoc(
        "The ModelPlatform does not offer the backend of spec.storage.",
        "Choose another backend, or have the platform team add this one to spec.storage of the ModelPlatform.",
    ),
    Reason.STORAGE_CLASS_MISSING: ReasonDoc(
        "The StorageClass that a bucket's claim or a volume waits for does not exist.",
        "Correct the storageClassName in spec.storage of the ModelPlatform, or install what brings the class.",
    ),
    Reason.STORAGE_SECRET_MISSING: ReasonDoc(
        "The Secret of spec.storage.existing.credentialsSecretRef does not exist.",
        "Create it in the namespace of the ModelService; it is looked for again every 30 seconds.",
    ),
    Reason.STORAGE_SECRET_INVALID: ReasonDoc(
        "The Secret of spec.storage.existing.credentialsSecretRef lacks a key.",
        "Add the key that the message names.",
    ),
    Reason.STORAGE_AUTHORITY_MISSING: ReasonDoc(
        "The ConfigMap of spec.storage.existing.caConfigMapRef, or its key, does not exist.",
        "Create it in the namespace of the ModelService, with certificates in PEM form.",
    ),
    Reason.BUCKET_PENDING: ReasonDoc(
        "The bucket is being made; the message has what its provisioner said last.",
        "Wait; if it takes longer than some minutes, act on the message.",
    ),
    Reason.BUCKET_FAILED: ReasonDoc(
        "The provisioner has given the bucket up, or somebody has taken it away.",
        "Act on the message; then delete the claim that it names, and the operator makes a new one.",
    ),
    Reason.BUCKET_DENIED: ReasonDoc(
        "The model's pod can not read from the bucket: the keys, the name or the certificate is not accepted, or there"
        " is nothing at spec.model.source.bucketPath. The message has the pod's words.",
        "Correct what the message names; the pod tries again by itself.",
    ),
    Reason.BUCKET_JOB_FAILED: ReasonDoc(
        "The Job that makes bucket, user and policy in the platform's MinIO failed; it is tried again, more and more"
        " slowly.",
        "Act on the message, which has the Job's last words.",
    ),
    Reason.KSERVE_TOO_OLD: ReasonDoc(
        "The cluster's KServe is older than 0.15.1, or its Open Data Hub than 2.30. Nothing of a model is changed.",
        "Upgrade KServe or OpenShift AI.",
    ),
    Reason.NAME_TOO_LONG: ReasonDoc(
        "Name and namespace together are longer than 52 characters, which KServe can not serve.",
        "Create the ModelService with a shorter name.",
    ),
    Reason.RUNTIME_MISSING: ReasonDoc(
        "spec.serving.runtime is no profile of the platform and not built in, or the runtime of spec.serving.runtimeRef"
        " does not exist. What runs stays as it is.",
        "Choose one of the profiles in the message, or add yours to the ModelPlatform; or create the runtime.",
    ),
    Reason.ARGUMENT_REFUSED: ReasonDoc(
        "An argument for vLLM, of the ModelService or of its runtime profile, is one that the operator sets. What runs"
        " stays as it is.",
        "Remove it and use the field in the message; the page on serving has the list.",
    ),
    Reason.CHAT_TEMPLATE_MISSING: ReasonDoc(
        "The ConfigMap of spec.serving.chatTemplateRef, or its key, does not exist. What runs stays as it is.",
        "Create it in the namespace of the ModelService; it is looked for every 30 seconds.",
    ),
    Reason.CHAT_TEMPLATE_INVALID: ReasonDoc(
        "The chat template in the ConfigMap is empty or too long. What runs stays as it is.",
        "Correct the value that the message names.",
    ),
    Reason.CREDENTIALS_MISSING: ReasonDoc(
        "The Secret of spec.model.credentialsSecretRef does not exist in the model's namespace.",
        "Create it with the keys in the message, or correct the name.",
    ),
    Reason.CREDENTIALS_INVALID: ReasonDoc(
        "The Secret of spec.model.credentialsSecretRef lacks a key, or has one that misleads KServe.",
        "Add the key in the message, or use a Secret of its own for this source.",
    ),
    Reason.CLAIM_MISSING: ReasonDoc(
        "A PersistentVolumeClaim that the model or an adapter names does not exist in its namespace.",
        "Create the claim with the files in it, or correct the URI.",
    ),
    Reason.CLAIM_UNFIT: ReasonDoc(
        "A PersistentVolumeClaim can not be mounted by as many pods as there are replicas, or holds no files.",
        "Use a claim with ReadWriteMany or ReadOnlyMany and volumeMode Filesystem, or one replica.",
    ),
    Reason.DEPLOYMENT_MODE_FIXED: ReasonDoc(
        "KServe runs the model's InferenceService in another mode than as a plain Deployment, or calls that mode by"
        " another name since it was upgraded, and changes neither.",
        "Delete the InferenceService; the operator makes it anew. The model is away meanwhile.",
    ),
    Reason.AUTOSCALING_UNAVAILABLE: ReasonDoc(
        "spec.serving.autoscaling asks for what is not there: KEDA, the platform's Prometheus, or a request that the"
        " metric is measured by. Nothing of the model is changed until it is.",
        "Install or set what the message names, or choose another metric.",
    ),
    Reason.AUTOSCALER_FAILING: ReasonDoc(
        "The model answers, but its autoscaler can not read the metric, so that the number of replicas stays as it is.",
        "Act on its words. Most often KEDA has a wrong address of Prometheus or a wrong token, or metrics-server, on"
        " which CPU and Memory depend, does not run.",
    ),
    Reason.STOPPED: ReasonDoc(
        "spec.serving.replicas is 0: the gateway answers calls with 502.", "Set spec.serving.replicas to 1 or more."
    ),
    Reason.MODEL_STARTING: ReasonDoc("KServe makes the pods.", _WAIT),
    Reason.MODEL_LOADING: ReasonDoc("The pods run and load the model.", _WAIT),
    Reason.ROLLING_OUT: ReasonDoc("Pods of this generation replace the ones before.", _WAIT),
    Reason.PODS_REFUSED: ReasonDoc(
        "The cluster refuses the pods: a quota, a limit range, a security policy or a webhook.",
        "Raise the quota or change spec.serving.resources, as the message says.",
    ),
    Reason.UNSCHEDULABLE: ReasonDoc(
        "No node has room or the wanted accelerator for a pod.",
        "Add nodes, or lower spec.serving.resources.",
    ),
    Reason.VOLUME_NOT_READY: ReasonDoc(
        "A pod waits for a PersistentVolumeClaim that does not exist, is not bound, or is bound to another zone or"
        " node.",
        "Create or repair the claim that the message names.",
    ),
    Reason.POD_LOST: ReasonDoc(
        "The newest pod was evicted or has failed as a whole, or its node does not answer.",
        "Wait for another pod; if it happens again, give the node what the message says it lacks.",
    ),
    Reason.IMAGE_PULL_FAILED: ReasonDoc(
        "The image of the runtime or of the model can not be pulled.",
        "Correct the image, or give the namespace's service account the pull secret.",
    ),
    Reason.CONTAINER_CRASHED: ReasonDoc(
        "The model server ends again and again; the message has its last words.",
        "Act on the message; often contextLength is more than the memory for the KV cache allows.",
    ),
    Reason.PROBE_FAILED: ReasonDoc(
        "The model server was killed, most often since it does not answer its health check: while it loads, for longer"
        " than spec.serving.startupTimeout; later, for a minute.",
        "Raise spec.serving.startupTimeout if the model just takes long to load; else act on its last words.",
    ),
    Reason.OUT_OF_MEMORY: ReasonDoc(
        "The model server was killed for its memory.",
        "Raise the memory limit, or lower spec.model.contextLength.",
    ),
    Reason.MODEL_LOAD_FAILED: ReasonDoc(
        "The model's files can not be fetched or loaded.",
        "Correct spec.model.source, or the access to it, as the message says.",
    ),
    Reason.MODEL_ACCESS_DENIED: ReasonDoc(
        "Whoever keeps the model's files refuses the credentials, or these do not suffice.",
        "Correct the Secret that the message names, or the permissions of its user, as it says.",
    ),
    Reason.MODEL_NOT_FOUND: ReasonDoc(
        "There is no model where spec.model.source says.",
        "Correct spec.model.source, or upload the model there, as the message says.",
    ),
    Reason.RUNTIME_REFUSED: ReasonDoc(
        "KServe refuses the runtime or the model's format, or the runtime can not do what the spec asks for.",
        "Correct the runtime or the field that the message names.",
    ),
    Reason.SERVING_FAILED: ReasonDoc("KServe reports an error of its own.", "Act on the message, which is KServe's."),
    Reason.KSERVE_SILENT: ReasonDoc(
        "KServe has not acted on the InferenceService for five minutes.",
        "See whether KServe's controller runs, and its log.",
    ),
    Reason.STARTUP_TIMEOUT: ReasonDoc(
        "The model has not become ready within spec.serving.startupTimeout.",
        "Act on the message; if the model just takes long to load, raise spec.serving.startupTimeout.",
    ),
    Reason.GATEWAY_SYNCING: ReasonDoc("The 3scale-operator works on product and backend.", _WAIT),
    Reason.GATEWAY_SILENT: ReasonDoc(
        "The 3scale-operator has written no status for too long: it does not run, does not watch the namespace,"
        " or has no usable provider account.",
        "Check that it runs, that it watches spec.threescale.namespace, and the provider account Secret.",
    ),
    Reason.GATEWAY_INVALID: ReasonDoc(
        "The 3scale-operator finds product or backend invalid and does not try again.",
        "Change what the message names.",
    ),
    Reason.GATEWAY_FAILED: ReasonDoc(
        "3scale refuses product or backend, or can not be reached; it is tried again.",
        "Act on the message, which is 3scale's; move applications off the plans that it names.",
    ),
    Reason.TOKEN_POLICY_MISSING: ReasonDoc(
        "Tokens are to be counted, but the platform's metering policy is not ready. What is published stays as it is.",
        "Look at TokenPolicyReady of the ModelPlatform; or limit Requests instead.",
    ),
    Reason.REMOTE_NAME_TAKEN: ReasonDoc(
        "3scale has a product, backend or document of this system name which is not the operator's; nothing was"
        " written.",
        "Delete it in 3scale, create the ModelService with another name, or, if the operator of a cluster that is gone"
        " made it, add the system name to spec.threescale.adopt of the ModelPlatform.",
    ),
    Reason.METRIC_IN_USE: ReasonDoc(
        "A metric or method that is not wanted any more stays, since the newest configuration in staging or production"
        " counts on it; 3scale would refuse to delete it, and then all later changes.",
        "Nothing: it goes when a configuration without it is promoted. In Manual mode, approve that one.",
    ),
    Reason.PLAN_IN_USE: ReasonDoc(
        "A plan that is not wanted any more stays, closed for others, since applications still use it; 3scale would"
        " refuse to delete it, and then all later changes.",
        "Move the applications that the message names to another plan; those without a ModelSubscription, in 3scale's"
        " admin portal.",
    ),
    Reason.PROMOTED: ReasonDoc("This generation's configuration is in production.", _NOTHING),
    Reason.PROMOTING: ReasonDoc("The configuration is being promoted to production.", _WAIT),
    Reason.PROMOTION_FAILED: ReasonDoc(
        "3scale did not promote the configuration; it is tried again with a new promotion.",
        "Act on the message, which is 3scale's.",
    ),
    Reason.PROMOTION_NOT_APPROVED: ReasonDoc(
        "spec.api.promotion.mode is Manual, and `approved` does not name this configuration. The one before stays in"
        " production.",
        "To publish it, set spec.api.promotion.approved to the hash in the message.",
    ),
    Reason.LIVE: ReasonDoc("Every gateway uses this generation's configuration.", _NOTHING),
    Reason.GATEWAY_CACHING: ReasonDoc(
        "Gateways may still use the configuration before; status.gateway.liveAfter says until when.", _WAIT
    ),
    Reason.ROUTE_MISSING: ReasonDoc(
        "3scale has the configuration, but zync has made no Route for it yet.",
        "Wait a minute; then check that zync runs.",
    ),
    Reason.DOCUMENTATION_OFF: ReasonDoc("spec.api.openAPI.mode is None: there is no document.", _NOTHING),
    Reason.DOCUMENT_MISSING: ReasonDoc(
        "The ConfigMap of spec.api.openAPI.configMapRef, or its key, does not exist. What is published stays.",
        "Create it in the namespace of the ModelService.",
    ),
    Reason.DOCUMENT_INVALID: ReasonDoc(
        "The document in the ConfigMap can not be published, or 3scale's operator refuses it. What is published stays.",
        "Correct what the message names; see the page on documents for what is taken.",
    ),
    Reason.DOCUMENTATION_PENDING: ReasonDoc("The 3scale-operator works on the document.", _WAIT),
    Reason.DOCUMENTATION_FAILED: ReasonDoc(
        "3scale refuses the document, or can not be reached; it is tried again.",
        "Act on the message, which is 3scale's.",
    ),
    Reason.ROUTE_TIMEOUT_NOT_SET: ReasonDoc(
        "The operator can not set the annotation haproxy.router.openshift.io/timeout of the product's Route: the router"
        " ends answers of which it has seen nothing for 30 seconds, or whatever somebody else has set.",
        "Bind the role maas-operator-threescale-secrets in the namespace of the Route, or stop the other writer, as"
        " the message says.",
    ),
    Reason.NO_DEVELOPERS: ReasonDoc("spec.developers is empty.", _NOTHING),
    Reason.DEVELOPERS_PENDING: ReasonDoc("Some developers have no working key yet.", _WAIT),
    Reason.DEVELOPERS_FAILED: ReasonDoc(
        "Some developers can not get a key; the message names them.",
        "Look at the conditions of the ModelSubscriptions that the message names.",
    ),
    Reason.MODEL_MISSING: ReasonDoc(
        "The ModelService of spec.modelRef does not exist.", "Create it, or create the subscription for another model."
    ),
    Reason.MODEL_NOT_PUBLISHED: ReasonDoc(
        "The ModelService is not in 3scale yet.", "Wait, or look at the ModelService's conditions."
    ),
    Reason.ACCESS_DENIED: ReasonDoc(
        "The ModelService does not accept subscriptions from this namespace.",
        "Create the subscription in the ModelService's namespace.",
    ),
    Reason.PLAN_MISSING: ReasonDoc("The model has no such plan.", "Choose one of the plans in the message."),
    Reason.PLAN_NOT_GRANTED: ReasonDoc(
        "The plan is not published or needs an approval: it is for those whom the model's owner names.",
        "Choose another plan, or have the model's owner name you in its spec.developers.",
    ),
    Reason.APPROVED: ReasonDoc("3scale accepts the subscription.", _NOTHING),
    Reason.APPROVAL_PENDING: ReasonDoc(
        "The plan wants an approval that nobody has given yet.",
        "Approve the application in 3scale's admin portal.",
    ),
    Reason.ACCOUNT_PENDING: ReasonDoc("The 3scale-operator makes account and user.", _WAIT),
    Reason.ACCOUNT_FAILED: ReasonDoc("3scale refuses account or user.", "Act on the message, which is 3scale's."),
    Reason.ACCOUNT_MISMATCH: ReasonDoc(
        "Another subscription of this namespace names the same account with a different user.",
        "Use the same user, or another account.",
    ),
    Reason.USERNAME_TAKEN: ReasonDoc(
        "User name or e-mail address belongs to somebody else in 3scale.",
        "Create the subscription with another one.",
    ),
    Reason.PASSWORD_TOO_SHORT: ReasonDoc(
        "The password has less than 15 characters, which 3scale refuses.", "Choose a longer password."
    ),
    Reason.PASSWORD_MISSING: ReasonDoc(
        "The Secret of spec.user.passwordSecretRef is not there or has no `password`.",
        "Create it in this namespace.",
    ),
    Reason.KEY_PENDING: ReasonDoc("The key is being made known to 3scale.", _WAIT),
    Reason.KEY_FAILED: ReasonDoc("3scale refuses application or key.", "Act on the message, which is 3scale's."),
    Reason.SUSPENDED: ReasonDoc("The application is suspended in 3scale.", "Resume it in 3scale's admin portal."),
    Reason.NAMESPACE_MISSING: ReasonDoc(
        "The namespace of spec.threescale.namespace does not exist.", "Create it, or install 3scale there."
    ),
    Reason.STORAGE_NAMESPACE_MISSING: ReasonDoc(
        "The namespace of spec.storage.minio.namespace does not exist.",
        "Create it; the operator creates no namespaces.",
    ),
    Reason.STORAGE_IN_USE: ReasonDoc(
        "spec.storage.minio was taken out while models have buckets there; the MinIO stays as it is.",
        "Put spec.storage.minio back, or move the models that the message names.",
    ),
    Reason.STORAGE_STARTING: ReasonDoc("The object storage is being made.", _WAIT),
    Reason.VOLUME_NOT_GROWN: ReasonDoc(
        "The volume can not take the size that the spec asks for; it goes on with the one that it has.",
        "Act on the message; a StorageClass must have allowVolumeExpansion.",
    ),
    Reason.VOLUME_PENDING: ReasonDoc(
        "There is no volume for a PersistentVolumeClaim yet.", "Act on the message, which is the provisioner's."
    ),
    Reason.VOLUME_SHRINKS: ReasonDoc(
        "The spec asks for a smaller volume than there is, and volumes never shrink.",
        "Set the size back to that of the volume, or more.",
    ),
    Reason.PROVIDER_SECRET_MISSING: ReasonDoc(
        "The provider account Secret does not exist.",
        "Create it in the 3scale namespace with the keys adminURL and token.",
    ),
    Reason.PROVIDER_SECRET_INVALID: ReasonDoc(
        "The provider account Secret lacks a key, or its adminURL is not an https URL without trailing slash.",
        "Correct the key that the message names.",
    ),
    Reason.AUTHORITY_MISSING: ReasonDoc(
        "The ConfigMap of spec.threescale.caConfigMapRef, or its key, does not exist.",
        "Create it in the 3scale namespace, with certificates in PEM form.",
    ),
    Reason.TOKEN_REFUSED: ReasonDoc(
        "3scale does not accept the token of the provider account, or the token may not manage accounts. What is"
        " published stays; nothing new is.",
        "Put a token with the scope Account Management API, read and write, into the provider account Secret.",
    ),
    Reason.ADMIN_API_UNAVAILABLE: ReasonDoc(
        "3scale's Admin API does not answer. What is published stays; nothing new is.",
        "Bring 3scale back, or correct the adminURL or the certificate authority, as the message says; it is asked"
        " again every minute.",
    ),
    Reason.ADMIN_API_REFUSED: ReasonDoc(
        "What answers at the adminURL refuses the operator's calls, or is no Admin API of 3scale.",
        "Correct the adminURL; if it is right, act on the message, which is 3scale's.",
    ),
    Reason.POLICY_REFUSED: ReasonDoc(
        "A policy of spec.gateway.policies may not stand in the chain, or not there: calls could pass unmetered, or a"
        " key reach others. Nothing is written to 3scale; what is published stays.",
        "Take it out, or do what the message says.",
    ),
    Reason.POLICY_INVALID: ReasonDoc(
        "The configuration of a policy is not valid; the gateway would stop all calls over it. Nothing is written to"
        " 3scale; what is published stays.",
        "Correct the field that the message names, in spec.gateway.policies or in the Secret.",
    ),
    Reason.POLICY_NOT_MOUNTED: ReasonDoc(
        "The APIManager does not mount a policy of your own in both gateways, which would stop all calls over it.",
        "Add it to customPolicies of both, as the message says, or take it out of spec.gateway.policies.",
    ),
    Reason.POLICY_SECRET_MISSING: ReasonDoc(
        "The Secret of a configurationSecretRef does not exist, or lacks the key `configuration`.",
        "Create it in the 3scale namespace, with JSON under that key.",
    ),
    Reason.TOKEN_POLICY_OFF: ReasonDoc(
        "spec.gateway.tokenPolicy.mode is None: plans can limit requests only.",
        "Set it to Managed if plans are to limit tokens.",
    ),
    Reason.TOKEN_POLICY_NOT_REGISTERED: ReasonDoc(
        "3scale has not registered the metering policy.",
        "Act on the message, which is 3scale's; the token of the provider account needs the scope Policy Registry.",
    ),
    Reason.API_MANAGER_MISSING: ReasonDoc(
        "There is no APIManager in the 3scale namespace, so that nobody can mount the metering policy.",
        "Install 3scale there by an APIManager, or set spec.gateway.tokenPolicy.mode to None.",
    ),
    Reason.TOKEN_POLICY_NOT_MOUNTED: ReasonDoc(
        "The APIManager does not mount the metering policy in both gateways.",
        "Add the lines of the message to the APIManager, or set spec.gateway.tokenPolicy.patchAPIManager to true.",
    ),
    Reason.TOKEN_POLICY_ROLLING_OUT: ReasonDoc(
        "Some pods of the gateways do not have the metering policy yet.",
        "Wait; or see why these Deployments are stuck.",
    ),
    Reason.TOKEN_POLICY_OUTDATED: ReasonDoc(
        "Tokens are counted by an older version of the metering policy; the message says what the new one waits for.",
        "Do what the message says; nothing is broken until then.",
    ),
}
