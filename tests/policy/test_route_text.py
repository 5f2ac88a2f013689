"""Routes that Django keeps as regular expressions, as a person would write them."""

import time

import pytest

from e2edebug.policy.route_text import readable_route


@pytest.mark.parametrize(
    ("route", "shown"),
    [
        # Other notations stay.
        ("", ""),
        ("orders/<int:pk>/", "orders/<int:pk>/"),
        ("v1.0/orders/<uuid:pk>/", "v1.0/orders/<uuid:pk>/"),
        ("/blog/[slug]", "/blog/[slug]"),
        ("/(shop)/cart/[[...rest]]", "/(shop)/cart/[[...rest]]"),
        ("/users/{id}", "/users/{id}"),
        ("/files/*", "/files/*"),
        ("api/books<drf_format_suffix:format>", "api/books<drf_format_suffix:format>"),
        # Django REST framework's routers, alone and behind path("api/", include(…)).
        ("^books/$", "books/"),
        ("api/books/(?P<pk>[^/.]+)/explode/$", "api/books/<pk>/explode/"),
        ("^books/(?P<pk>[^/.]+)/$", "books/<pk>/"),
        (r"api/books\.(?P<format>[a-z0-9]+)/?$", "api/books.<format>"),
        (r"^books/(?P<pk>[^/.]+)\.(?P<format>[a-z0-9]+)/?$", "books/<pk>.<format>"),
        (r"api/(?P<parent_lookup_author>[^/.]+)/books/(?P<pk>[^/.]+)/$", "api/<parent_lookup_author>/books/<pk>/"),
        # re_path() by hand.
        ("^", ""),
        ("^$", ""),
        (r"^archive/(?P<year>(?:19|20)\d{2})/(?P<slug>[\w-]+)/$", "archive/<year>/<slug>/"),
        (r"\Aarchive/(?P<year>[0-9]{4})/\Z", "archive/<year>/"),
        (r"^page/(?P<name>a(b(c))[)(]\)d)/x$", "page/<name>/x"),
        (r"^comments/(?:page-(?P<page>\d+)/)?$", "comments/page-<page>/"),
        (r"^comments/(?:all/)?$", "comments/"),
        (r"^(?:de|en)/shop/$", "(de|en)/shop/"),
        (r"^(?P<lang>de|en)/shop/$", "<lang>/shop/"),
        (r"^user/(\d+)/file-(\w+)\.txt$", "user/<var>/file-<var>.txt"),
        (r"^(blog/(?P<pk>\d+)/)?$", "blog/<pk>/"),
        (r"^year/\d{4}/\d\d/$", "year/*/*/"),
        (r"^static/.*$", "static/*"),
        (r"^a\-b\/c\+d/$", "a-b/c+d/"),
        (r"^health/?$", "health"),
        (r"(?i)^Admin/", "Admin/"),
        (r"^(?!api/)(?P<rest>.*)$", "<rest>"),
        (r"^twice/(?P<a>\w+)-(?P=a)/$", "twice/<a>-<a>/"),
        (r"shop/<int:pk>/^reviews/(?P<id>\d+)/$", "shop/<int:pk>/reviews/<id>/"),
        # Not well formed, and not ours to judge.
        ("^a/(?P<pk>[", "a/<pk>"),
        ("^a)b(", "a)b<var>"),
        ("^a\\", "a"),
        ("^a[b", "a[b"),
    ],
)
def test_a_route_reads_as_path_writes_it(route: str, shown: str) -> None:
    assert readable_route(route) == shown


@pytest.mark.parametrize("piece", ["(", "(?:", "(?P<a>", "[", "\\", "^", "(?P<", "{1", ".*", "[^]", ")", "(a|"])
def test_hostile_routes_take_linear_time_and_end(piece: str) -> None:
    started = time.process_time()

    for length in (1_990, 100_000):
        readable_route("^" + piece * (length // len(piece)))

    assert time.process_time() - started < 0.5
