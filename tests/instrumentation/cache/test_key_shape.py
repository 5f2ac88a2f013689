"""What of a cache key is shown."""

import pytest

from e2edebug_instrumentation.cache.key_shape import shape_of


@pytest.mark.parametrize(
    ("key", "shape"),
    [
        ("user:8127:cart", "user:*:cart"),
        ("user:alice:cart", "user:*:cart"),
        ("email:ann@example.com", "email:*.com"),
        ("front_page", "front_page"),
        ("product:list:page=3", "product:list:page=*"),
        ("django.contrib.sessions.cache8fj2kd9slq0ek3md8skw0eoq2mz7ab1x", "django.contrib.sessions.*"),
        ("views.decorators.cache.cache_page..GET.1f0c2d.9e107d9d.en-us.UTC", "views.decorators.cache.cache_page..GET.*.*.en-us.UTC"),
        ("token:qWeRtYuIoPasDfGh", "token:*"),
        ("random/qWeRtYuIoPasDfGh", "random/*"),
        ("api/v2/rates", "api/v2/rates"),
        ("Müller", "*"),
        (b"order:17", "order:*"),
        (17, "*"),
    ],
)  # fmt: skip
def test_words_are_shown_and_what_names_somebody_or_something_is_not(key: object, shape: str) -> None:
    assert shape_of(key) == shape


def test_a_key_of_any_length_has_a_short_shape() -> None:
    assert len(shape_of("x" * 1_000_000)) <= 250
