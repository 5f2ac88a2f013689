"""One of OpenTelemetry's own instrumentors, switched on when its library is imported, and undone again.

Neither the instrumentor nor the library is imported before that: both are optional, and cost nothing where they are
not used. An instrumentor that somebody else has switched on is left to them.
"""

import importlib
import importlib.util
import logging
import sys
from collections.abc import Collection
from types import ModuleType
from typing import Any, ClassVar

import wrapt
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor  # type: ignore[attr-defined] # see the class
from opentelemetry.metrics import NoOpMeterProvider

from e2edebug.policy.self_report import internal_error

_log = logging.getLogger("e2edebug")


class StockInstrumentor(BaseInstrumentor):  # type: ignore[misc] # its package has no type information
    """Base of instrumentors that stand on another; a subclass names library and instrumentor and says the options."""

    library: ClassVar[str]
    """The module whose import switches it on."""
    stock: ClassVar[str]
    """module:class of OpenTelemetry's instrumentor."""

    _is_active = False
    _hooked: ClassVar[set[str]] = set()

    def instrumentation_dependencies(self) -> Collection[str]:
        """Nothing: without the library it waits for it."""
        return ()

    def options(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Return what the stock instrumentor is given; *arguments*: those of instrument()."""
        raise NotImplementedError

    def before(self, library: ModuleType) -> None:
        """Do what is to be done before the stock instrumentor wraps *library*."""

    def after(self, library: ModuleType) -> None:
        """Do what is to be done once the stock instrumentor has wrapped *library*."""

    def before_undoing(self) -> None:
        """Undo what after() did."""

    def after_undoing(self) -> None:
        """Undo what before() did."""

    def _instrument(self, **kwargs: Any) -> None:
        self._arguments = kwargs
        self._is_active = True
        self._stock: Any = None
        if self.library not in self._hooked:
            # A hook for an import cannot be taken back: there is one per process, and it asks whether it is wanted.
            self._hooked.add(self.library)
            wrapt.register_post_import_hook(self._when_imported, self.library)
        elif self.library in sys.modules:
            self._when_imported(sys.modules[self.library])

    def _uninstrument(self, **_: Any) -> None:
        self._is_active = False
        if self._stock is not None:
            self.before_undoing()
            self._stock.uninstrument()
            self._stock = None
            self.after_undoing()

    def _when_imported(self, library: ModuleType) -> None:
        if not self._is_active or self._stock is not None:
            return
        module, _, name = self.stock.partition(":")
        if importlib.util.find_spec(module) is None:
            _log.debug("%s is used, and %s is not installed: its calls are no steps", self.library, module)
            return
        try:
            instrumentor = getattr(importlib.import_module(module), name)()
            if instrumentor.is_instrumented_by_opentelemetry:
                return
            self.before(library)
            # Its own check reads the metadata of distributions, and logs an error where a version is not known to it.
            instrumentor.instrument(
                **{"skip_dep_check": True, "meter_provider": NoOpMeterProvider(), **self.options(self._arguments)}
            )
            self._stock = instrumentor
            self.after(library)
        except Exception as error:  # noqa: BLE001 - importing the library must succeed without us
            internal_error(f"trace the calls of {self.library}", error)
