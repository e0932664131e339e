"""Draw the days of closures and the due dates that they moved, from tables of all events.

.venv/bin/carrel demo --tables tables
.venv/bin/python examples/closures.py tables closures.png
"""

import sys

import duckdb
from matplotlib.figure import Figure

CLOSURES = """
    SELECT
        first_closed_day,
        coalesce(reopened_on, (SELECT max(business_day) FROM events)) AS until,
        reason,
        count(*) AS branches,
        sum(due_dates_moved)::BIGINT AS moved
    FROM closures WHERE NOT in_error
    GROUP BY first_closed_day, reopened_on, reason
    ORDER BY first_closed_day, until
"""


def main(tables: str, picture: str) -> None:
    """Print the closures and draw them to a file."""
    with duckdb.connect(f"{tables}/carrel.duckdb", read_only=True) as library:
        print(library.sql(CLOSURES))
        closures = library.execute(CLOSURES).fetchall()
    figure = Figure(figsize=(9, 0.6 * len(closures) + 1), layout="constrained")
    axes = figure.subplots()
    for at, (first, until, *_) in enumerate(closures):
        axes.barh(at, until - first, left=first)
    labels = [
        f"{reason} ({branches})\n{moved} due dates" for _, _, reason, branches, moved in closures
    ]
    axes.set_yticks(range(len(labels)), labels)
    axes.invert_yaxis()
    axes.xaxis_date()
    figure.autofmt_xdate()
    figure.savefig(picture)


if __name__ == "__main__":
    main(*sys.argv[1:])
