"""Events as tables: Parquet files and Apache Iceberg. Needs requirements-analytics.lock."""

from importlib.util import find_spec

from ops.console import refuse


def refuse_without_libraries() -> None:
    """End the command if the libraries of requirements-analytics.lock are missing."""
    for library in ("duckdb", "matplotlib", "pyarrow", "pyiceberg", "sqlglot"):
        if not find_spec(library):
            refuse(f"{library} is missing: pip install -r requirements-analytics.lock")
