"""What somebody does in 3scale's admin portal, behind the back of all custom resources."""

from __future__ import annotations

from maas_operator.sandbox.controllers.threescale.catalogue import Product, Rule
from maas_operator.sandbox.controllers.threescale.porta import Tenant


def rename(tenant: Tenant, product: Product) -> None:
    product.name = "Edited"


def open_a_path(tenant: Tenant, product: Product) -> None:
    tenant.catalogue.set_rules(product, [*product.rules, Rule("GET", "/", "hits", 1)])


def drop_a_policy(tenant: Tenant, product: Product) -> None:
    tenant.catalogue.set_policies(product, [one for one in product.policies if one["name"] != "headers"])


def raise_a_limit(tenant: Tenant, product: Product) -> None:
    for plan in product.plans.values():
        tenant.catalogue.set_limits(plan, {("hits", 0, "minute"): 10**6})


def hide_a_plan(tenant: Tenant, product: Product) -> None:
    for plan in product.plans.values():
        plan.published = False


def add_a_plan(tenant: Tenant, product: Product) -> None:
    tenant.catalogue.put_plan(product, "free_lunch", published=True)


def add_a_metric(tenant: Tenant, product: Product) -> None:
    tenant.catalogue.put_metric(product, "clicks", friendly_name="Clicks")


def lead_elsewhere(tenant: Tenant, product: Product) -> None:
    for backend in tenant.catalogue.backends.values():
        tenant.catalogue.update_backend(backend, name=backend.name, description="", endpoint="http://evil.example.com")


def delete_the_product(tenant: Tenant, product: Product) -> None:
    tenant.catalogue.delete_product(product.id)


def promote(tenant: Tenant, product: Product) -> None:
    if product.staging[-1:] != product.production[-1:]:
        product.production += product.staging[-1:]


def take_keys_from_the_query(tenant: Tenant, product: Product) -> None:
    tenant.catalogue.update_proxy(product, {"credentials_location": "query"})
