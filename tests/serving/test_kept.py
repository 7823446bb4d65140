from __future__ import annotations

from depict_reco.serving.kept import Kept


def test_what_was_put_in_is_there():
    kept = Kept(2)
    kept.put("a", 1)

    assert kept.get("a") == 1
    assert kept.get("b") is None


def test_what_nobody_asks_for_is_forgotten():
    kept = Kept(2)
    for number in range(100):
        kept.put(number, str(number))

    assert kept.get(99) == "99"
    assert kept.get(90) is None


def test_what_is_asked_for_stays():
    kept = Kept(2)
    kept.put("a", 1)
    for number in range(100):
        kept.put(number, number)
        assert kept.get("a") == 1


def test_nothing_is_kept_without_capacity():
    kept = Kept(0)
    kept.put("a", 1)

    assert kept.get("a") is None


def test_some_can_be_left_out():
    kept = Kept(2)
    for number in range(4):
        kept.put(number, number)
    rest = kept.without(lambda number: number in {1, 3})

    assert [rest.get(number) for number in range(4)] == [0, None, 2, None]
    assert kept.get(3) == 3


def test_the_size_of_values_may_count():
    class Texts(Kept[str, str]):
        def size_of(self, value: str) -> int:
            return len(value)

    texts = Texts(10)
    texts.put("long", "0123456789")
    texts.put("short", "0")
    assert texts.get("long")
    texts.put("another", "0123456789")
    texts.put("last", "0")

    assert texts.get("short") is None
