"""A Kubernetes API in one process, in memory: a stand-in for a laptop and for tests, not a product.

`KubeApi` is the whole of it: the verbs (`api`), the faults that tests inject (`faults`), and an HTTP server for
kubectl, kopf and every other client. `store.py` keeps objects and history, `api.py` decides what a request may do,
`apply.py` who owns which field, `schema.py` what a custom object may look like, `garbage.py` what follows a deletion.

Not modelled: authentication, RBAC and admission (everybody may do everything); protobuf (415, so `kubectl create` of
some built-in kinds does not work; `apply` and `create -f` do); defaults, validation and unknown fields *inside* the
specs of built-in kinds (top-level fields are checked); quantities that are equal but written differently; conversion
between versions of a CRD beyond the apiVersion; pods that run, controllers of built-in kinds, cluster IPs. What the
control plane's controllers do a moment later (garbage collection, namespace and CRD clean-up) happens within the write.
"""

from __future__ import annotations

from .api import Api, DeleteOptions, FieldValidation, WriteOptions
from .errors import ApiError, Cause
from .faults import Call, Faults, Moment, Verb
from .kubeapi import KubeApi
from .patch import PatchType

__all__ = [
    "Api",
    "ApiError",
    "Call",
    "Cause",
    "DeleteOptions",
    "Faults",
    "FieldValidation",
    "KubeApi",
    "Moment",
    "PatchType",
    "Verb",
    "WriteOptions",
]
