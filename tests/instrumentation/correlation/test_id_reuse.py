"""One constant client-sent id must not fold all users into one workflow."""

from concurrent.futures import ThreadPoolExecutor

from e2edebug_instrumentation.correlation.id_reuse import IdReuse


class Clock:
    """Seconds that pass on demand."""

    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def test_an_id_names_a_bounded_number_of_traces() -> None:
    reuse = IdReuse(max_traces=2)

    assert [reuse.admits("test", trace_id) for trace_id in (1, 2, 3, 4)] == [True, True, False, False]
    assert reuse.admits("other", 3)


def test_requests_of_one_trace_count_once() -> None:
    reuse = IdReuse(max_traces=2)

    assert [reuse.admits("page", trace_id) for trace_id in (1, 1, 1, 2, 2)] == [True] * 5
    assert not reuse.admits("page", 3)


def test_requests_that_begin_a_trace_count_each() -> None:
    reuse = IdReuse(max_traces=2)

    assert [reuse.admits("page", 0) for _ in range(3)] == [True, True, False]


def test_an_id_names_a_workflow_for_a_bounded_time() -> None:
    clock = Clock()
    reuse = IdReuse(max_age_s=60, clock=clock)
    assert reuse.admits("page", 1)

    clock.now_s += 60
    assert reuse.admits("page", 1)
    clock.now_s += 1
    assert not reuse.admits("page", 1)


def test_the_memory_of_ids_is_bounded_and_forgets_the_one_unused_for_longest() -> None:
    reuse = IdReuse(max_traces=1, max_remembered_ids=2)
    reuse.admits("a", 1)
    reuse.admits("b", 1)
    reuse.admits("a", 1)
    reuse.admits("c", 1)

    assert not reuse.admits("a", 2)
    assert reuse.admits("b", 2)


def test_threads_together_get_no_more_than_one() -> None:
    reuse = IdReuse(max_traces=100)

    with ThreadPoolExecutor(8) as pool:
        admitted = list(pool.map(lambda trace_id: reuse.admits("test", trace_id), range(1, 1001)))

    assert admitted.count(True) == 100
