"""What was asked for is not there."""

from typing import Final

from e2edebug.policy.error_class.evidence import Raised

NAME: Final = "not_found"

_NAMES: Final = (
    "DoesNotExist", "ObjectDoesNotExist", "Http404", "Resolver404", "NotFound", "NoResultFound", "FileNotFoundError",
)  # fmt: skip


def matches(raised: Raised) -> bool:
    """By name: each model has a DoesNotExist of its own."""
    if raised.is_named("ModuleNotFoundError"):
        return False
    return raised.is_named(*_NAMES) or raised.short_name.endswith(("NotFoundError", "DoesNotExistError"))


def suggestion(raised: Raised) -> str:
    """By what it was."""
    if raised.is_named("FileNotFoundError"):
        return (
            "The file that the message names is not there: build its path from BASE_DIR rather than from the working "
            "directory, and check that the deployment brings it."
        )
    if raised.is_named("Http404", "Resolver404", "rest_framework.exceptions.NotFound"):
        return (
            "Nothing is at this URL, or not for this user: compare the link that led here with the URL configuration, "
            "trailing slash included, and with the queryset that the view filters by."
        )
    model = raised.name.rpartition(".")[0].rpartition(".")[2]
    subject = f"No {model} fits" if raised.short_name == "DoesNotExist" and model else "Nothing fits"
    return (
        f"{subject} the query, and nothing expected that: use `get_object_or_404()` in a view, `.filter(…).first()` where "
        "absence is normal; after a write, read in `transaction.on_commit()` or from the primary, because a replica or "
        f"another transaction does not see it yet."
    )
