"""How partitions are shared, whatever members claim."""

from hypothesis import given
from hypothesis import strategies as st

from telesurv_streams._shares import share

CLAIMS = st.dictionaries(
    st.text("abcdef", min_size=1, max_size=2), st.sets(st.integers(-1, 60)), min_size=1, max_size=9
)


@given(CLAIMS, st.integers(1, 50))
def test_every_partition_has_one_owner_and_shares_are_even(
    owned: dict[str, set[int]], partitions: int
) -> None:
    shares = share(owned, partitions)
    assert shares.keys() == owned.keys()
    assert sorted(n for numbers in shares.values() for n in numbers) == list(range(partitions))
    sizes = [len(numbers) for numbers in shares.values()]
    assert max(sizes) - min(sizes) <= 1


@given(st.integers(1, 8), st.integers(1, 50), st.data())
def test_no_more_move_than_must(members: int, partitions: int, data: st.DataObject) -> None:
    before = share({f"m{n}": () for n in range(members)}, partitions)
    assert share(before, partitions) == before
    leaver = data.draw(st.sampled_from(sorted(before)))
    left = {name: numbers for name, numbers in before.items() if name != leaver}
    if left:
        after = share(left, partitions)
        assert all(left[name] <= after[name] for name in left)
    joined = share({**before, "new": ()}, partitions)
    assert all(joined[name] <= before[name] for name in before)


def test_who_comes_first_is_believed() -> None:
    assert share({"newer": {0, 1}, "older": {0, 1, 2}}, 4)["newer"] == {0, 1}
