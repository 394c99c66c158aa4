"""The report for people."""

from __future__ import annotations

from orders.ledger.rows import MUST_BE_NONE, Finding, Report

_MEANINGS = {
    "accepted": "recorded by the desk on paper accounts",
    "at_venue": "found in the exchange's ledger",
    "explained": "not there: denied, refused, canceled or held back, and the desk says why",
    "lost": "should be there and are not",
    "duplicated": "are there more than once",
    "unexplained": "there, and the desk does not know them or knows them otherwise",
    "indeterminate": "not known yet",
    "positions": "positions of another quantity here than there",
    "cash": "positions that have brought in, or cost, another amount here than there",
}


def table(report: Report, *, shown: int = 20) -> str:
    """Write the numbers, then at most ``shown`` orders of each kind that should not be."""
    lines = [f"{name:<14}{number:>9}  {_MEANINGS[name]}" for name, number in report.numbers().items()]
    for name in MUST_BE_NONE:
        findings = getattr(report, name)
        lines += [f"{name}: {_named(finding)}{finding.why}" for finding in findings[:shown]]
        if len(findings) > shown:
            lines.append(f"{name}: and {len(findings) - shown} more")
    lines.append("The books agree." if report.is_clean else "The books do not agree.")
    return "\n".join(lines)


def _named(finding: Finding) -> str:
    return f"{finding.cl_ord_id} (order {finding.order_id or '-'}): " if finding.cl_ord_id else ""
