import json
from collections.abc import Hashable, Iterable
from typing import Any

import pytest

from maas_operator.domain.kinds import BACKEND, MODEL_SERVICE, PRODUCT, SECRET
from maas_operator.domain.labels import MANAGED_BY, OPERATOR, OWNER_UID
from maas_operator.domain.objects import Manifest, Ref
from maas_operator.engine.cache import TOMBSTONES, Cache
from tests.engine.stage import manifest

ONE = Ref(BACKEND, "3scale", "one")
TARGET = Ref(MODEL_SERVICE, "llm", "later")


def seen(ref: Ref = ONE, *, version: str = "1", uid: str = "u1", owner: str = "", **content: Any) -> Manifest:
    found = manifest(ref, **content)
    found["metadata"] |= {"resourceVersion": version, "uid": uid}
    if owner:
        found["metadata"]["labels"] = {MANAGED_BY: OPERATOR, OWNER_UID: owner}
    return found


def test_a_new_version_is_news_and_the_same_one_is_not() -> None:
    cache = Cache()
    assert cache.put(seen(version="9"))
    assert not cache.put(seen(version="9"))
    assert cache.put(seen(version="10", spec={"new": True}))
    assert cache.get(ONE) == seen(version="10", spec={"new": True})


def test_an_older_version_never_replaces_a_newer_one() -> None:
    cache = Cache()
    cache.put(seen(version="10"))
    assert not cache.put(seen(version="9", spec={"old": True}))
    assert cache.get(ONE) == seen(version="10")


@pytest.mark.parametrize("version", ["b", "5", ""])
def test_where_versions_are_no_numbers_the_last_one_told_wins(version: str) -> None:
    cache = Cache()
    cache.put(seen(version="a"))
    assert cache.put(seen(version=version))


def test_managed_fields_are_not_kept_and_the_given_object_is_not_changed() -> None:
    cache, given = Cache(), seen()
    given["metadata"]["managedFields"] = [{"manager": "someone"}]
    cache.put(given)
    assert cache.get(ONE) == seen()
    assert "managedFields" in given["metadata"]


def test_what_objects_say_alike_is_kept_once() -> None:
    def told(number: int) -> Manifest:
        text = f"""{{"modelRef": [{{"name": "a model"}}], "count": {number}, "ready": true, "none": null}}"""
        return seen(Ref(BACKEND, "3scale", f"b{number}"), uid=f"u{number}", spec=json.loads(text))

    cache = Cache()
    for number in (1, 2):
        cache.put(told(number))
    first, second = cache.of_kind(BACKEND)
    assert (first, second) == (told(1), told(2))
    assert first["spec"]["modelRef"][0]["name"] is second["spec"]["modelRef"][0]["name"]
    assert [*map(id, first["spec"])] == [*map(id, second["spec"])]


def test_of_a_secret_nothing_is_kept_that_it_says() -> None:
    cache, ref = Cache(), Ref(SECRET, "3scale", "key")
    given = seen(ref, owner="o1", type="Opaque", data={"key": "czNjcmV0"}, stringData={"more": "s3cret"})
    given["metadata"]["annotations"] = {"kubectl.kubernetes.io/last-applied-configuration": "czNjcmV0"}
    cache.put(given)
    assert cache.get(ref) == seen(ref, owner="o1")
    assert cache.owned_by("o1") == [seen(ref, owner="o1")]


def test_objects_are_found_by_kind_namespace_and_owner_in_the_order_of_their_arrival() -> None:
    cache = Cache()
    two, three = Ref(BACKEND, "other", "two"), Ref(PRODUCT, "3scale", "three")
    for ref, owner in ((two, "o1"), (ONE, "o2"), (three, "o1")):
        cache.put(seen(ref, uid=ref.name, owner=owner))
    names = [
        [one["metadata"]["name"] for one in found]
        for found in (
            cache.of_kind(BACKEND),
            cache.of_kind(BACKEND, "3scale"),
            cache.owned_by("o1"),
            cache.owned_by("nobody"),
        )
    ]
    assert names == [["two", "one"], ["one"], ["two", "three"], []]


def test_a_new_version_is_found_by_its_new_owner_only() -> None:
    cache = Cache()
    cache.put(seen(owner="before"))
    cache.put(seen(version="2", owner="after"))
    assert not cache.owned_by("before")
    assert cache.owned_by("after")


def test_what_refers_to_an_object_is_found_before_that_exists() -> None:
    def references(found: Manifest) -> Iterable[Hashable]:
        return [TARGET] if found.get("spec") else []

    cache = Cache(references)
    cache.put(seen(spec={"refers": True}))
    assert cache.referring_to(TARGET) == [seen(spec={"refers": True})]
    cache.put(seen(version="2"))
    assert not cache.referring_to(TARGET)


def test_a_version_that_is_not_understood_is_found_by_its_address_only_and_the_next_one_counts() -> None:
    def references(found: Manifest) -> Iterable[Hashable]:
        return found.get("spec", {}).get("refers", ())

    cache = Cache(references)
    odd = seen(version="2", spec=["odd"], owner="o")
    with pytest.raises(AttributeError):
        cache.put(odd)
    assert (cache.get(ONE), cache.owned_by("o")) == (odd, [])
    assert cache.put(seen(version="3", spec={"refers": [TARGET]}, owner="o"))
    assert cache.referring_to(TARGET) == cache.owned_by("o") != []
    assert cache.remove(seen(version="4"))
    assert (cache.get(ONE), cache.owned_by("o")) == (None, [])


def test_a_deleted_object_is_gone_from_all_its_lists() -> None:
    cache = Cache()
    cache.put(seen(owner="o"))
    assert cache.remove(seen(version="2"))
    assert (cache.get(ONE), cache.of_kind(BACKEND), cache.owned_by("o")) == (None, [], [])
    assert not cache.remove(seen(version="2"))


def test_news_of_the_death_of_a_predecessor_leaves_the_successor() -> None:
    cache = Cache()
    cache.put(seen(version="5", uid="new"))
    assert not cache.remove(seen(version="4", uid="old"))
    assert cache.get(ONE) is not None


@pytest.mark.parametrize(("last", "late"), [("3", "2"), ("3", "3"), ("b", "a"), ("3", ""), ("", "3")])
def test_a_late_answer_does_not_bring_a_deleted_object_back(last: str, late: str) -> None:
    cache = Cache()
    cache.put(seen())
    cache.remove(seen(version=last))
    assert not cache.put(seen(version=late))
    assert cache.put(seen(version="4", uid="successor"))


def test_what_only_lost_the_label_by_which_it_is_watched_is_news_when_it_has_that_again() -> None:
    cache = Cache()
    cache.put(seen(version="9", owner="o"))
    assert cache.remove(seen(version="10", owner="o"))
    assert cache.put(seen(version="11", owner="o"))
    assert cache.owned_by("o")


def test_an_answer_later_than_the_death_of_an_unknown_object_does_not_bring_it_in() -> None:
    cache = Cache()
    assert not cache.remove(seen())
    assert not cache.put(seen())


def test_memory_of_the_deleted_is_bounded() -> None:
    cache = Cache()
    for number in range(TOMBSTONES + 1):
        cache.put(seen(uid=str(number)))
        cache.remove(seen(uid=str(number)))
    assert cache.put(seen(uid="0"))
    cache.remove(seen(uid="0"))
    assert not cache.put(seen(uid=str(TOMBSTONES)))


def test_ghosts_are_what_a_list_lacks_and_nobody_touched_meanwhile() -> None:
    cache = Cache()
    refs = {name: Ref(BACKEND, "3scale", name) for name in ("there", "ghost", "touched", "removed", "late", "foreign")}
    for name in ("there", "ghost", "touched", "removed"):
        cache.put(seen(refs[name], uid=name, owner="o"))
    cache.put(seen(refs["foreign"], uid="foreign"))
    before = cache.versions(BACKEND, {OWNER_UID: "o"})
    cache.put(seen(refs["touched"], uid="touched", version="2", owner="o"))
    cache.put(seen(refs["late"], uid="late", owner="o"))
    cache.remove(seen(refs["removed"], uid="removed"))
    ghosts = cache.ghosts(before, [seen(refs["there"], uid="there")])
    assert [ghost["metadata"]["name"] for ghost in ghosts] == ["ghost"]
