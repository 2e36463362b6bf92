"""The CRD generator."""

from maas_operator.api.crd.definitions import DEFINITIONS, Column, Definition, crd_files, crd_manifests

__all__ = ["DEFINITIONS", "Column", "Definition", "crd_files", "crd_manifests"]
