"""Whether every number of a report is what its rows add up to."""

from __future__ import annotations

from typing import Any


def wrong_numbers(company: Any, report: Any) -> list[tuple[Any, ...]]:
    """Numbers that their rows don't add up to: (where, what is told, what the rows say). Empty: all do."""
    from reporting import rows

    found = [
        (figure.name, figure.currency, figure.value, rows.total(company, figure.rows))
        for figure in report.figures
        if figure.rows is not None
    ]
    for table in report.tables:
        places = {column.name: place for place, column in enumerate(table.columns)}
        found += [
            (
                f"{table.name}/{line.cells[0]}/{name}",
                line.currency,
                line.cells[places[name]],
                rows.total(company, where),
            )
            for line in table.lines
            for name, where in line.rows.items()
        ]
    return [row for row in found if row[-2] != row[-1]]


def ask(company: Any, name: str, first: Any, last: Any, **more: Any) -> Any:
    """The report of that name, asked on its last day."""
    from reporting import registry
    from reporting.shapes import Asked

    asked = Asked(**({"on": last, "first": first, "last": last} | more))
    return registry.build(name=name, company=company, asked=asked)


def table_of(report: Any, name: str) -> dict[Any, list[Any]]:
    """The lines of a table by (currency, first cell), without them."""
    return {(line.currency, line.cells[0]): list(line.cells[1:]) for line in report.table(name).lines}
