"""Events as tables: Parquet files that DuckDB reads. Needs requirements-analytics.lock."""
