"""Print ready tables with Spark, from Iceberg tables: on each line a name, and a row as JSON.

.venv/bin/carrel analytics follow --to iceberg:lake --until-now
.venv/bin/carrel analytics sql spark > ready.sql
.venv/engines/bin/python examples/spark_tables.py lake ready.sql lending_by_day loans

SPARK_JARS names the jars of Iceberg's runtime for this Spark and of SQLite's driver, with commas.
"""

import json
import os
import sys
from pathlib import Path

from pyspark.sql import SparkSession


def session(lake: str) -> SparkSession:
    """Return Spark on this machine, with the catalogue of the folder."""
    place = Path(lake).absolute()
    settings = {
        "spark.jars": os.environ["SPARK_JARS"],
        "spark.sql.extensions": (
            "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions"
        ),
        "spark.sql.catalog.carrel": "org.apache.iceberg.spark.SparkCatalog",
        "spark.sql.catalog.carrel.type": "jdbc",
        "spark.sql.catalog.carrel.uri": f"jdbc:sqlite:{place / 'catalog.db'}",
        "spark.sql.catalog.carrel.warehouse": str(place),
        "spark.sql.shuffle.partitions": "2",  # of a library on one machine
        "spark.ui.enabled": "false",
    }
    builder = SparkSession.builder.master("local[2]").appName("carrel")
    return builder.config(map=settings).getOrCreate()


def main(lake: str, ready: str, *tables: str) -> None:
    """Make the ready tables as views, and print some of them."""
    spark = session(lake)
    spark.sql("USE carrel.carrel")
    for statement in Path(ready).read_text().split(";\n"):
        if statement.strip():
            spark.sql(statement)
    for table in tables:
        for row in spark.table(table).collect():
            print(table, json.dumps(row.asDict(), default=str))
    spark.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
