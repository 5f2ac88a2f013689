"""The line of the user's code that a stored stack trace leads to."""

from pathlib import Path

import pytest

from e2edebug.cli.stack_location import stack_location

HEAD = "Traceback (most recent call last):\n"
DJANGO = (
    '  File "/venv/lib/python3.11/site-packages/django/core/handlers/base.py", line 197, in _get_response\n    x()\n'
)
VIEW = '  File "/srv/app/library/views.py", line 24, in boom\n    book.x\n    ^^^^^^\n'
JSON = '  File "/usr/lib/python3.11/json/decoder.py", line 355, in raw_decode\n    raise\n'
OURS = '  File "/src/e2edebug/decorators.py", line 267, in traced\n    call()\n'
CAUSE = "\nThe above exception was the direct cause of the following exception:\n\n"


@pytest.mark.parametrize(
    ("stack", "expected"),
    [
        (HEAD + DJANGO + VIEW, "app/library/views.py:24 in boom"),
        (HEAD + DJANGO + VIEW + JSON, "app/library/views.py:24 in boom"),
        (HEAD + VIEW + OURS, "app/library/views.py:24 in boom"),
        (HEAD + VIEW + "KeyError: 'x'\n" + CAUSE + HEAD + DJANGO, "app/library/views.py:24 in boom"),
        (HEAD + VIEW + CAUSE + HEAD + VIEW.replace("24", "31"), "app/library/views.py:31 in boom"),
        (HEAD + DJANGO, "django/core/handlers/base.py:197 in _get_response"),
        (HEAD + '  File "<string>", line 1, in <module>\n', "<string>:1 in <module>"),
        (VIEW.replace("  File", "  |   File"), "app/library/views.py:24 in boom"),
        (r'  File "C:\app\library\views.py", line 3, in get', "app/library/views.py:3 in get"),
        (r'  File "C:\Python312\Lib\json\decoder.py", line 3, in get' + "\n" + VIEW, "app/library/views.py:24 in boom"),
        ("no stack at all", ""),
        ("", ""),
    ],
)  # fmt: skip
def test_the_deepest_line_of_the_users_own_code_is_found(stack: str, expected: str) -> None:
    assert stack_location(stack) == expected


def test_a_path_below_the_working_directory_is_relative_to_it() -> None:
    stack = f'  File "{Path.cwd()}/a/b/c/d/views.py", line 2, in get'

    assert stack_location(stack) == "a/b/c/d/views.py:2 in get"


def test_a_huge_stack_is_read_at_its_end() -> None:
    assert stack_location(HEAD + VIEW * 100_000) == "app/library/views.py:24 in boom"
