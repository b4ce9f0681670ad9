"""The tables over the archive read lines whose keys differ in case only.

Athena reads them by the OpenX JSON SerDe, which no registry has that the tests may use: `parsed` does what its parser
does (checked against it by hand, on the same file), and DuckDB reads the file by the table's own columns.
"""

import json
import re

import duckdb
import hcl2
import pytest
from conftest import SOURCE

ARCHIVE = SOURCE / "tests/fixtures/archive.ndjson"
LINES = ARCHIVE.read_text().splitlines()


class DuplicateKeyError(Exception):
    """The whole row becomes NULL, where ignore.malformed.json lets it."""


def parsed(line: str, case_insensitive: bool):
    """As the SerDe does: keys in lowercase unless it is told otherwise, and each of them once."""

    def once(pairs):
        keys = [key.lower() if case_insensitive else key for key, _ in pairs]
        if len(set(keys)) < len(keys):
            raise DuplicateKeyError(line)
        return dict(zip(keys, (value for _, value in pairs), strict=True))

    return json.loads(line, object_pairs_hook=once)


def configuration() -> dict:
    return hcl2.loads((SOURCE / "modules/archive/athena.tf").read_text())


def serde() -> dict[str, str]:
    """The SerDe's parameters, as the module has them."""
    text = (SOURCE / "modules/archive/athena.tf").read_text()
    found = re.search(r"ser_de_info \{.*?parameters = \{(.*?)\}", text, re.DOTALL)
    return dict(re.findall(r'"([a-z.]+)"\s*=\s*"([a-z]+)"', found[1]))


def columns() -> dict[str, str]:
    found = next(block["columns"] for block in configuration()["locals"] if "columns" in block)
    return {column["name"].strip('"'): column["type"].strip('"') for column in found}


def test_the_file_has_lines_that_a_parser_without_case_refuses():
    refused = []
    for line in LINES:
        try:
            parsed(line, case_insensitive=True)
        except DuplicateKeyError:
            refused.append(line)
    assert len(refused) == 3 and len(LINES) == 4


@pytest.mark.parametrize("line", LINES)
def test_the_tables_serde_reads_each_line_with_its_keys(line):
    row = parsed(line, case_insensitive=serde().get("case.insensitive", "true") == "true")
    assert row == json.loads(line)
    assert row.keys() <= columns().keys(), "a key that no column has"


def test_duckdb_reads_the_same_file_by_the_tables_columns():
    # Athena's type for an object as text is string, DuckDB's is JSON.
    types = {"record": "JSON", "resource": "MAP(VARCHAR, VARCHAR)", "diverted": "STRUCT(reason VARCHAR, sink VARCHAR, status INTEGER)"}
    assert columns()["resource"] == "map<string,string>" and columns()["diverted"] == "struct<reason:string,sink:string,status:int>"
    described = {name: types.get(name, "VARCHAR") for name in columns()}
    rows = duckdb.sql(f"select * from read_json('{ARCHIVE}', format = 'newline_delimited', columns = {described!r})").fetchall()
    for line, row in zip(LINES, rows, strict=True):
        expected = json.loads(line)
        found = dict(zip(described, row, strict=True))
        assert json.loads(found["record"]) == expected["record"]
        assert found["resource"] == expected["resource"]
        assert found["diverted"] == {"status": None, **expected["diverted"]}
        assert found["request_id"] == expected.get("request_id")
        assert (found["id"], found["time"], found["type"]) == (expected["id"], expected["time"], expected["type"])
