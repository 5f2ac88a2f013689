"""A template does not exist, has a mistake, or asks for what is not there."""

from typing import Final

from e2edebug.policy.error_class.evidence import Raised
from e2edebug.policy.stack_frames import is_of_application

NAME: Final = "template"

_NAMES: Final = (
    "TemplateSyntaxError", "TemplateDoesNotExist", "VariableDoesNotExist", "NoReverseMatch", "TemplateNotFound",
    "TemplatesNotFound", "TemplateError", "UndefinedError", "TemplateRuntimeError", "TemplateAssertionError",
)  # fmt: skip
_ENGINES: Final = ("/django/template/", "/jinja2/", "/templatetags/")


def matches(raised: Raised) -> bool:
    """By name; else by where it was raised: inside the engine, with no code of the application's below."""
    if raised.is_named(*_NAMES):
        return True
    for frame in reversed(raised.frames):
        path = frame.path.replace("\\", "/")
        if any(part in path for part in _ENGINES) or path.endswith((".html", ".jinja", ".j2")):
            return True
        if is_of_application(frame.path):
            return False
    return False


def suggestion(raised: Raised) -> str:
    """By what was missing."""
    if raised.is_named("NoReverseMatch"):
        return (
            "No URL has that name with those arguments: compare `{% url %}` or `reverse()` with urls.py: the namespace, "
            "and an argument that is empty because the object has not been saved."
        )
    if raised.is_named("TemplateDoesNotExist", "TemplateNotFound", "TemplatesNotFound"):
        return (
            "The template that the message names is in none of the folders that are searched: check its spelling, "
            "`APP_DIRS`, `DIRS`, that its app is in INSTALLED_APPS, and that the package contains it."
        )
    if raised.is_named("VariableDoesNotExist", "UndefinedError"):
        return (
            "The template uses a name that its context does not have: pass it from the view, or test it with `{% if %}` "
            "or `|default`."
        )
    if raised.is_named("TemplateSyntaxError", "TemplateAssertionError"):
        return (
            "The template has a mistake; the message says where: an unclosed block, a misspelt tag or filter, or a missing "
            "`{% load %}`."
        )
    return (
        "A tag or filter failed while the template was rendered: let it cope with what the context may hold, None "
        "above all."
    )
