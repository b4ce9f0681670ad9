"""Runs the statements for DuckDB in docs/replay.md over a directory: query.py PAGE DIRECTORY INVOCATION.

Prints the rows of each by its name, as JSON.
"""
import json
import re
import sys

import duckdb

page, directory, invocation = sys.argv[1:]
with open(page, encoding="utf-8") as file:
    text = file.read()
blocks = re.findall(r"<!-- duckdb: (\w+) -->\n```sql\n(.*?)```", text, re.S)
database = duckdb.connect()
found = {}
for name, statement in blocks:
    statement = statement.replace("'archive/", f"'{directory}/")
    statement = statement.replace("8476a536-e9f4-11e8-9739-2dfe598c3fcd", invocation)
    result = database.execute(statement)
    found[name] = [[str(value) for value in row] for row in result.fetchall()]
found["ids"] = [row[0] for row in database.execute("SELECT DISTINCT id FROM archive").fetchall()]
print(json.dumps(found))
