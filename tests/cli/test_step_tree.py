"""Steps become a tree: whatever is stored, every step is in exactly one node."""

from collections import Counter
from collections.abc import Sequence

from cli.made_steps import MadeError, MadeStep, query, step
from hypothesis import given
from hypothesis import strategies as st

from e2edebug.cli.step_tree import Node, build_tree, fold, prune, walk


def outline(roots: Sequence[Node]) -> list[object]:
    """Span ids as nested lists; folded nodes as `id*n`."""
    return [
        item
        for node in roots
        for item in [
            node.first.span_id + (f"*{len(node.steps)}" if len(node.steps) > 1 else ""),
            *([outline(node.children)] if node.children else []),
        ]
    ]


def tree(*steps: MadeStep, errors: Sequence[MadeError] = ()) -> list[Node]:
    return build_tree(steps, errors)[0]


def test_children_stand_below_their_parent_in_order_of_start() -> None:
    roots = tree(
        step("late", "root", at_ms=5), step("early", "root", at_ms=1), step("root"), step("deep", "late", at_ms=6)
    )

    assert outline(roots) == ["root", ["early", "late", ["deep"]]]


def test_a_step_whose_parent_is_not_stored_is_an_orphan() -> None:
    roots = tree(step("root"), step("lost", "gone", at_ms=1))

    assert [(node.first.span_id, node.is_orphan) for node in roots] == [("root", False), ("lost", True)]


def test_the_entry_of_a_request_may_have_a_parent_elsewhere() -> None:
    (root,) = tree(step("root", "browser", kind="server"))

    assert root.is_orphan is False


def test_a_parent_in_another_trace_is_no_parent() -> None:
    roots = tree(step("root", trace_id="t1"), step("other", "root", trace_id="t2", at_ms=1))

    assert outline(roots) == ["root", "other"]


def test_ids_in_a_circle_end_up_below_the_earliest_of_them() -> None:
    roots = tree(step("b", "a", at_ms=1), step("a", "b"), step("self", "self", at_ms=2), step("under", "b", at_ms=3))

    assert outline(roots) == ["a", ["b", ["under"]], "self"]
    assert all(node.is_orphan for node in roots)


def test_two_steps_of_one_id_are_both_shown() -> None:
    roots = tree(step("same"), step("same", at_ms=1), step("child", "same", at_ms=2))

    assert outline(roots) == ["same", ["child"], "same"]


def test_an_error_stands_at_its_step_and_one_without_a_step_stands_apart() -> None:
    here, elsewhere, nowhere = MadeError("t1", "a", "E"), MadeError("t1", "x", "E"), MadeError(None, None, "E")

    roots, homeless = build_tree([step("a")], [here, elsewhere, nowhere])

    assert roots[0].errors == [here]
    assert homeless == [elsewhere, nowhere]


def test_three_equal_siblings_are_folded_where_the_first_of_them_stood() -> None:
    roots = fold(
        tree(
            step("root"),
            query("a1", "root", "A", at_ms=1),
            query("b1", "root", "B", at_ms=2),
            query("a2", "root", "A", at_ms=3),
            query("b2", "root", "B", at_ms=4),
            query("a3", "root", "A", at_ms=5),
        )
    )

    assert outline(roots) == ["root", ["a1*3", "b1", "b2"]]
    assert roots[0].children[0].total_ms == 3.0


def test_equal_statements_below_different_parents_are_not_one_pattern() -> None:
    roots = fold(tree(*(one for n in "12" for one in (step(n, operation=n), query(f"q{n}", n, "A", at_ms=1)))))

    assert outline(roots) == ["1", ["q1"], "2", ["q2"]]


def test_equal_subtrees_are_folded_with_what_is_inside() -> None:
    steps = [step("root")]
    for number in range(4):
        steps += [
            step(f"item{number}", "root", at_ms=number * 10 + 1, operation="serialize"),
            query(f"a{number}", f"item{number}", "A", at_ms=number * 10 + 2),
            query(f"b{number}", f"item{number}", "B", at_ms=number * 10 + 3),
        ]

    assert outline(fold(tree(*steps))) == ["root", ["item0*4", ["a0*4", "b0*4"]]]


def test_what_failed_is_never_folded_away() -> None:
    queries = [query(f"q{n}", "root", "A", at_ms=n, status="failed" if n == 3 else "completed") for n in range(6)]

    roots = fold(tree(step("root"), *queries, errors=[MadeError("t1", "q4", "E")]))

    assert outline(roots) == ["root", ["q0*4", "q3", "q4"]]


def test_too_large_a_tree_keeps_what_failed_and_what_took_longest() -> None:
    steps = [step("root", for_ms=100)]
    steps += [step(f"s{n:02}", "root", at_ms=n, for_ms=n, operation=str(n)) for n in range(1, 20)]
    steps += [step("bad", "s03", at_ms=4, for_ms=0.1, status="failed")]

    roots = prune(tree(*steps), limit=4)

    assert outline(roots) == ["root", ["bad", "s18", "s19"]]
    assert (roots[0].hidden, roots[0].children[0].levels_left_out) == (17, 1)


def test_a_small_tree_is_left_as_it_is() -> None:
    roots = tree(step("root"), step("a", "root"))

    assert prune(roots, limit=2) is roots


def test_a_chain_of_ten_thousand_levels_does_not_exhaust_the_stack() -> None:
    steps = [step(str(n), str(n - 1) if n else None, at_ms=n / 1000, for_ms=100 - n / 1000) for n in range(10_000)]

    roots = prune(fold(tree(*steps)), limit=50)

    assert len(list(walk(roots))) == 50


IDS = st.sampled_from("abcdefgh")
ANY_STEPS = st.lists(
    st.builds(
        step,
        IDS,
        st.none() | IDS | st.just("gone"),
        at_ms=st.integers(0, 20),
        for_ms=st.none() | st.integers(0, 20),
        trace_id=st.sampled_from(["t1", "t2"]),
        operation=st.sampled_from("xy"),
        status=st.sampled_from(["completed", "failed", "started"]),
    ),
    max_size=30,
)


@given(steps=ANY_STEPS)
def test_every_step_is_in_exactly_one_node_before_and_after_folding(steps: list[MadeStep]) -> None:
    roots, _ = build_tree(steps)
    before = Counter(id(one) for node in walk(roots) for one in node.steps)
    after = Counter(id(one) for node in walk(fold(roots)) for one in node.steps)

    assert before == after == Counter(id(one) for one in steps)


@given(steps=ANY_STEPS, limit=st.integers(1, 10))
def test_pruning_keeps_the_limit_and_counts_what_it_left_out_below_what_it_kept(
    steps: list[MadeStep], limit: int
) -> None:
    nodes = list(walk(prune(build_tree(steps)[0], limit=limit)))

    assert len(nodes) == min(limit, len(steps))
    assert sum(node.hidden for node in nodes) <= len(steps) - len(nodes)
