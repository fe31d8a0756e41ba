"""Whole projects through the command line: real data beside DuckDB, and a warehouse on S3."""

import csv
import decimal
import os
import pathlib
import shutil
import subprocess
import urllib.request

import duckdb
import pytest

PROJECT = pathlib.Path(__file__).resolve().parents[2]


def countinghouse(project, state, *arguments, env=None, stdin=""):
    """Runs a command to its end and gives what it printed."""
    command = [os.environ["COUNTINGHOUSE_BIN"], "--project", project, "--state", state, *arguments]
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, env={**os.environ, **(env or {})})
    assert done.returncode == 0, done.stderr
    return done.stdout


def ask(project, state, sql, env=None):
    """Rows of a statement as lists of text."""
    text = countinghouse(project, state, "query", sql, "--as", "tester", "--format", "csv", env=env)
    return list(csv.reader(text.splitlines()))[1:]


@pytest.fixture(scope="module")
def contacts(tmp_path_factory):
    """The UCI Bank Marketing data, loaded as a project of its own."""
    folder = os.environ.get("COUNTINGHOUSE_BANK_MARKETING")
    if not folder:
        pytest.skip("COUNTINGHOUSE_BANK_MARKETING names no folder with bank-full.csv: the real data are absent")
    project = tmp_path_factory.mktemp("bank_marketing")
    shutil.copytree(PROJECT / "tests/projects/bank_marketing", project, dirs_exist_ok=True)
    data = pathlib.Path(folder) / "bank-full.csv"
    shutil.copy(data, project / "bank-full.csv")
    state = project / "state"
    loaded = countinghouse(project, state, "load", project / "feed.yaml")
    assert "45211 rows delivered, 45211 loaded, 0 unchanged, 0 rejected" in loaded
    countinghouse(project, state, "user", "add", "tester", "--role", "analyst")
    raw = duckdb.connect()
    raw.execute(f"CREATE TABLE raw AS SELECT * FROM read_csv('{data}', delim=';', header=true)")
    return project, state, raw


def test_bank_marketing_totals(contacts):
    project, state, _ = contacts
    rows = ask(project, state, "SELECT SUM(contacts), SUM(subscriptions), MEASURE(conversion) FROM contacts")
    assert rows == [["45211", "5289", "0.116985"]]  # 11.698 %


@pytest.mark.parametrize("level,column", [("job", "job"), ("month", "month")])
def test_bank_marketing_equals_duckdb(contacts, level, column):
    project, state, raw = contacts
    ours = ask(
        project,
        state,
        f"SELECT {level}, SUM(contacts), SUM(subscriptions), MEASURE(conversion), MEASURE(average_duration),"
        f" MAX(longest_duration) FROM contacts GROUP BY {level} ORDER BY {level}",
    )
    reference = raw.execute(
        f"""SELECT {column}, COUNT(*), COUNT(*) FILTER (WHERE y), SUM(duration), MAX(duration)
            FROM (SELECT * REPLACE (y = 'yes' OR y = 'true' AS y) FROM (SELECT * REPLACE (CAST(y AS VARCHAR) AS y) FROM raw))
            GROUP BY 1 ORDER BY 1"""
    ).fetchall()
    half_up = lambda value, places: str(value.quantize(decimal.Decimal(1).scaleb(-places), decimal.ROUND_HALF_UP))
    expected = [
        [
            name,
            str(n),
            str(yes),
            half_up(decimal.Decimal(yes) / n, 6),
            half_up(decimal.Decimal(seconds) / n, 2),
            str(longest),
        ]
        for name, n, yes, seconds, longest in reference
    ]
    assert ours == expected
    assert len(ours) == {"job": 12, "month": 12}[level]


@pytest.fixture(scope="module")
def s3():
    """A local S3 server (moto) with one bucket."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    env = {
        "AWS_ENDPOINT": f"http://{host}:{port}",
        "AWS_ALLOW_HTTP": "true",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
    }
    urllib.request.urlopen(urllib.request.Request(f"{env['AWS_ENDPOINT']}/bank", method="PUT"))
    yield env
    server.stop()


def test_a_warehouse_on_s3(s3, tmp_path):
    project, state = tmp_path / "project", tmp_path / "state"
    project.mkdir()
    settings = (PROJECT / "countinghouse.yaml").read_text()
    assert settings.count("\nwarehouse:\n") == 1
    (project / "countinghouse.yaml").write_text(settings.replace("\nwarehouse:\n", "\nwarehouse:\n  url: s3://bank/warehouse\n"))
    shutil.copytree(PROJECT / "cubes", project / "cubes")
    countinghouse(project, state, "sample", "--out", tmp_path / "feed", "--customers", "40", "--months", "2", "--seed", "3")
    for batch in ("batch-0001", "batch-0002"):
        assert countinghouse(project, state, "load", tmp_path / "feed" / batch / "feed.yaml", env=s3).startswith("loaded")
        assert countinghouse(project, state, "load", tmp_path / "feed" / batch / "feed.yaml", env=s3).startswith("already loaded")
    countinghouse(project, state, "user", "add", "tester", "--role", "analyst", env=s3)
    sql = "SELECT month, SUM(balance), MEASURE(customers) FROM deposits GROUP BY month ORDER BY month"
    remote = ask(project, state, sql, env=s3)
    assert not (state / "warehouse").exists()

    local = tmp_path / "local"
    for batch in ("batch-0001", "batch-0002"):
        countinghouse(PROJECT, local, "load", tmp_path / "feed" / batch / "feed.yaml")
    countinghouse(PROJECT, local, "user", "add", "tester", "--role", "analyst")
    assert remote == ask(PROJECT, local, sql)
    assert len(remote) == 2
