"""The document of the API: OpenAPI 3.1, with the errors that any endpoint may answer with."""

import inspect
from collections.abc import Callable
from typing import Any, Final

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import extend_schema

from e2edebug import __version__

SETTINGS: Final[dict[str, Any]] = {
    "TITLE": "e2edebug",
    "DESCRIPTION": (
        "Workflows, steps, metrics and errors that e2edebug recorded.\n\n"
        "Wherever an `{id}` is accepted, so is a correlation id or a trace id. Times are UTC; lists cover the last 24 "
        "hours unless `since` or an id says otherwise, and say in `range` what they cover. Unknown parameters and "
        "fields are refused."
    ),
    "VERSION": __version__,
    "OAS_VERSION": "3.1.0",
    "COMPONENT_SPLIT_REQUEST": True,
    "COMPONENT_NO_READ_ONLY_REQUIRED": False,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "SCHEMA_PATH_PREFIX": r"/.*?debugging",
    "ENUM_NAME_OVERRIDES": {
        "LayerEnum": "e2edebug_schema.tables.LAYERS",
        "SessionStatusEnum": "e2edebug_schema.tables.SESSION_STATUSES",
        "StepStatusEnum": "e2edebug_schema.tables.STEP_STATUSES",
        "SeverityEnum": "e2edebug_schema.tables.SEVERITIES",
        "GroupStatusEnum": "e2edebug_schema.tables.GROUP_STATUSES",
        "MetricKindEnum": "e2edebug_schema.tables.METRIC_KINDS",
    },
    "POSTPROCESSING_HOOKS": [],
}
"""For `manage.py spectacular --custom-settings e2edebug.django.api.openapi.SETTINGS`, and for our own pages."""

PROBLEM: Final[dict[str, Any]] = {
    "type": "object",
    "description": "`detail`, or field names with what is wrong with each.",
    "additionalProperties": {},
}
_ALWAYS: Final = {
    "400": "What was sent is wrong: field names, each with what is wrong.",
    "401": "Nobody is logged in.",
    "403": "Nobody is logged in, or the permission is missing.",
    "405": "The method is not offered here.",
    "406": "Only application/json is spoken.",
    "429": "Asked too often; Retry-After says how long to wait.",
    "503": "The store cannot be reached, or would have taken too long.",
}
_WITH_REFERENCE: Final = {"404": "Nothing has this id, or the cursor leads to no page."}
_WITH_BODY: Final = {
    "409": "It is in a state that does not allow this.",
    "413": "The body is longer than 1 MiB.",
    "415": "Only application/json is understood.",
}


class DebuggingSchema(AutoSchema):
    """What drf-spectacular finds out by itself, and the errors."""

    def get_operation_id(self) -> str:
        """Return a name without the place where the project has mounted the API."""
        return "_".join([*self._tokenize_path(), self._action()]).replace("-", "_")

    def _action(self) -> str:
        action = getattr(self.view, "action", None)
        return action if isinstance(action, str) else self.method.lower()

    def _map_serializer_field(self, field: Any, direction: str, bypass_extensions: bool = False) -> Any:
        schema = super()._map_serializer_field(field, direction, bypass_extensions)
        pattern = getattr(field, "pattern", None)
        if pattern is not None and direction == "request" and isinstance(schema, dict) and "pattern" not in schema:
            schema = {**schema, "pattern": pattern}
        return schema

    def _map_basic_serializer(self, serializer: Any, direction: str) -> Any:
        schema = super()._map_basic_serializer(serializer, direction)
        adjust = getattr(serializer, "adjust_schema", None)
        return adjust(schema) if adjust is not None and direction == "request" else schema

    def get_tags(self) -> list[str]:
        """Group by the first part of the path."""
        return [self._tokenize_path()[0]]

    def _get_response_bodies(self, direction: str = "response") -> dict[str, Any]:
        bodies: dict[str, Any] = super()._get_response_bodies(direction)
        problems = (
            dict(_ALWAYS) if getattr(self.view, "can_fail", True) else {"405": _ALWAYS["405"], "406": _ALWAYS["406"]}
        )
        if "{" in self.path or self._is_list_view():
            problems |= _WITH_REFERENCE
        if self.method in ("POST", "PUT", "PATCH", "DELETE"):
            problems |= _WITH_BODY
        for code, description in problems.items():
            bodies.setdefault(code, {"description": description, "content": {"application/json": {"schema": PROBLEM}}})
        return bodies

    def _resolve_path_parameters(self, variables: list[str]) -> list[dict[str, Any]]:
        from e2edebug.django.api.lookup import REFERENCE_PATTERN

        return [
            {
                "name": name,
                "in": "path",
                "required": True,
                "schema": {"type": "string", "pattern": REFERENCE_PATTERN},
                "description": getattr(self.view, "reference_description", "Its id."),
            }
            for name in variables
        ]


def described(**options: Any) -> Callable[[Any], Any]:
    """Return drf-spectacular's decorator, on our schema class whatever the project's DEFAULT_SCHEMA_CLASS is."""
    extend = extend_schema(**options)

    def decorate(view: Any) -> Any:
        if not inspect.isclass(view):
            if not hasattr(view, "kwargs"):
                view.kwargs = {}
            view.kwargs.setdefault("schema", DebuggingSchema)
        return extend(view)

    return decorate
