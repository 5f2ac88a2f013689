"""Who may do what: staff, with Django's own permissions on each model.

Reading needs `view`, recording `add`, deciding (complete, resolve, ignore, change) `change`, removing `delete`. Who a
person was needs `debugging.view_personal_data` besides. The setting API_PERMISSION_CLASS puts another class in place.
"""

from typing import Any, Final

from django.utils.module_loading import import_string
from rest_framework.exceptions import MethodNotAllowed
from rest_framework.permissions import BasePermission

from e2edebug.runtime.lifecycle import config_in_force

PERSONAL_DATA: Final = "debugging.view_personal_data"
_READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class StaffWithModelPermissions(BasePermission):
    """Active staff who have the model's permission for what the request does."""

    def has_permission(self, request: Any, view: Any) -> bool:
        """Tell whether *request* may go on. Raises MethodNotAllowed where nobody may."""
        user = request.user
        if not (user and user.is_authenticated and user.is_active and user.is_staff):
            return False
        if request.method not in _READING and getattr(view, request.method.lower(), None) is None:
            raise MethodNotAllowed(request.method)
        return all(user.has_perm(name) for name in self.required(request, view))

    def required(self, request: Any, view: Any) -> list[str]:
        """Return the permissions that the request needs."""
        verb = view.verbs.get(getattr(view, "action", None), _VERBS[request.method])
        return [f"debugging.{verb}_{model._meta.model_name}" for model in view.permission_models]


_VERBS: Final = {
    "GET": "view",
    "HEAD": "view",
    "OPTIONS": "view",
    "POST": "add",
    "PUT": "change",
    "PATCH": "change",
    "DELETE": "delete",
    "TRACE": "view",
}


def permission_classes() -> list[type[BasePermission]]:
    """Return the class that the setting names, else ours."""
    name = config_in_force().api_permission_class
    return [import_string(name)] if name else [StaffWithModelPermissions]


def may(user: Any, permission: str) -> bool:
    """Tell whether *user* has *permission*; a replaced permission class may let in users that have none."""
    return bool(user.has_perm(permission))


def may_view(user: Any, *models: Any) -> bool:
    """Tell whether *user* may read rows of *models*: what one endpoint shows of another is not shown to more people."""
    return all(may(user, f"debugging.view_{model._meta.model_name}") for model in models)
