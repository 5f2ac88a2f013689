"""What a person calls the code that answered a request: `ProductViewSet` and `list`, not a path of modules."""

import functools
from typing import Any


def component_and_operation(view: Any, method: str) -> tuple[str, str]:
    """Return the names of the view that a URL resolved to (`resolver_match.func`) for an HTTP *method*.

    A viewset gives its class and the action, a class-based view its class and the method in lower case, an admin page
    the ModelAdmin and the page (`changelist`), a plain function its own name and the method in lower case.

    Reads only what Django and DRF leave on the callable (as_view() sets view_class, cls and actions; the admin's
    wrapper sets model_admin), so neither has to be imported.
    """
    verb = method.lower()
    while isinstance(view, functools.partial):
        view = view.func
    view_class = getattr(view, "cls", None) or getattr(view, "view_class", None)
    if isinstance(view_class, type):
        actions = getattr(view, "actions", None)
        action = actions.get(verb) if isinstance(actions, dict) else None
        return view_class.__name__, str(action or verb)
    function_name = str(getattr(view, "__name__", ""))
    model_admin = getattr(view, "model_admin", None)
    if model_admin is not None:
        return _admin_name(model_admin), function_name.removesuffix("_view") or verb
    owner = getattr(view, "admin_site", None) or getattr(view, "__self__", None)
    if owner is not None and function_name:
        return type(owner).__name__, function_name
    if function_name:
        return function_name, verb
    return type(view).__name__, verb


def _admin_name(model_admin: Any) -> str:
    name = type(model_admin).__name__
    # admin.site.register(Model) without a class of its own.
    return f"{model_admin.opts.object_name}Admin" if name == "ModelAdmin" else name
