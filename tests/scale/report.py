"""What was measured against which bound."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One measurement."""

    what: str
    value: str
    bound: str
    holds: bool


def show(findings: list[Finding]) -> int:
    """Print a table, and return 0 when every bound holds."""
    width = max(len(finding.what) for finding in findings)
    for finding in findings:
        mark = "ok  " if finding.holds else "FAIL"
        print(f"{mark} {finding.what:<{width}}  {finding.value:<46} bound: {finding.bound}")
    failed = sum(not finding.holds for finding in findings)
    print(f"{len(findings) - failed} of {len(findings)} bounds hold")
    return 1 if failed else 0
