"""Trees as RFC 6962 has them, held against another's work."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some
from pymerkle import InmemoryTree

from rollouts.rules import merkle
from tests.docs.checker import checker

DATA = some.lists(some.binary(max_size=8), min_size=1, max_size=70)


def ours(data):
    return [merkle.leaf(each) for each in data]


def test_the_published_tree_of_certificate_transparency():
    """The vectors of RFC 6962's reference implementation (google/certificate-transparency)."""
    data = [bytes.fromhex(each) for each in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657",
                                             "606162636465666768696a6b6c6d6e6f")]  # fmt: skip
    roots = {
        1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    }
    assert {size: merkle.root_of(ours(data[:size])).hex() for size in roots} == roots
    assert merkle.root_of([]).hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@given(DATA, some.data())
def test_roots_are_those_of_pymerkle_and_proofs_lead_to_them(data, draw):
    tree, leaves = InmemoryTree.init_from_entries(data, algorithm="sha256"), ours(data)
    size = len(leaves)
    root = tree.get_root()
    assert merkle.root_of(leaves) == root
    index = draw.draw(some.integers(0, size - 1))
    path = merkle.inclusion(leaves, index)
    assert {*path, leaves[index]} == {*tree.prove_inclusion(index + 1, size).path}
    assert checker.climb(path, index, size - 1, leaves[index], leaves[index])[1] == root
    first = draw.draw(some.integers(1, size))
    earlier = merkle.root_of(leaves[:first])
    assert checker.roots_by_consistency(first, size, earlier, merkle.consistency(leaves, first)) == (earlier, root)


@given(DATA, some.data())
def test_a_proof_of_something_else_leads_elsewhere(data, draw):
    leaves = ours(data)
    index, other = (draw.draw(some.integers(0, len(leaves) - 1)) for _ in range(2))
    wrong = merkle.leaf(b"something else")
    try:
        found = checker.climb(merkle.inclusion(leaves, index), other, len(leaves) - 1, wrong, wrong)[1]
    except checker.Wrong:
        return
    assert found != merkle.root_of(leaves)


@given(DATA, some.integers(0, 70))
def test_a_tree_goes_on_from_its_right_edge(data, cut):
    leaves = ours(data)
    begun = merkle.Frontier()
    for leaf in leaves[:cut]:
        begun.add(leaf)
    went_on = merkle.Frontier(begun.size, begun.nodes)
    for leaf in leaves[cut:]:
        went_on.add(leaf)
    assert went_on.root == merkle.root_of(leaves)


def test_an_edge_of_another_size_is_refused():
    with pytest.raises(ValueError, match="3 leaves has 2 full subtrees, not 1"):
        merkle.Frontier(3, [merkle.EMPTY])
