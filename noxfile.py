"""The suite on each supported Python that is installed, with the Django versions it takes."""

import nox

nox.options.default_venv_backend = "venv"
nox.options.error_on_missing_interpreters = False


@nox.session(python=["3.11", "3.12", "3.13"])
@nox.parametrize("django", ["5.2", "6.0", "6.1"])
def tests(session: nox.Session, django: str) -> None:
    """Run the suite; Django 6 needs Python 3.12."""
    if django.startswith("6") and session.python == "3.11":
        session.skip("Django 6 needs Python 3.12 or newer")
    session.install("--upgrade", "pip>=25.1")
    session.install("--editable", ".[shop]", "--group", "test", f"Django~={django}.0")
    session.run("python", "-m", "pytest", *session.posargs)
