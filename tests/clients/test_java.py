"""Apache Arrow's FlightSqlClient for Java, which lies under the JDBC driver.

java/FlightSqlCalls.java makes the calls and checks the answers. The client's jars come in the wheel of deephaven-server;
COUNTINGHOUSE_JAVA_JARS names the folder with them.
"""

import os
import pathlib
import shutil
import subprocess

import pytest

pytestmark = pytest.mark.heavy

PROGRAM = pathlib.Path(__file__).resolve().parent / "java" / "FlightSqlCalls.java"
SECONDS = 300
IDS = ["H1", "H2", "H4", "H5", "I1", "I2", *(f"M{at}" for at in range(1, 11)), *(f"Q{at}" for at in range(1, 14))]
IDS += ["T1", "T2", "X1", "X2", "X5", "O1", "O2", "O3", "E5", "errors"]


@pytest.fixture(scope="module")
def lines(server):
    """What the program printed, by id: (whether it holds, what and why)."""
    jars = os.environ.get("COUNTINGHOUSE_JAVA_JARS")
    if not jars:
        pytest.skip("COUNTINGHOUSE_JAVA_JARS names no folder with the jars of Apache Arrow's Java client")
    if not shutil.which("java"):
        pytest.skip("there is no java: Java 17 runs this client")
    who = server.logins["head_office"]
    environment = os.environ | {
        "FLIGHT": server.flight,
        "HTTP": server.http,
        "NAME": who.name,
        "PASSWORD": who.password,
        "TOKEN": who.token,
        "BRANCH_TOKEN": server.logins["beijing"].token,
        "READER_TOKEN": server.logins["executive"].token,
    }
    command = ["java", "--add-opens=java.base/java.nio=ALL-UNNAMED", "-Dfile.encoding=UTF-8", "--class-path", f"{jars}/*"]
    done = subprocess.run([*command, PROGRAM], env=environment, capture_output=True, encoding="utf-8", timeout=SECONDS)
    lines = {}
    for line in done.stdout.splitlines():
        verdict, name, what = line.split(" ", 2)
        assert verdict in ("ok", "FAIL"), line
        lines.setdefault(name, []).append((verdict == "ok", what))
    failed = sum(not holds for checks in lines.values() for holds, _ in checks)
    # Status 1 is a check that failed; the tests below say which. Anything else is a program that broke off.
    assert done.returncode == (1 if failed else 0), done.stderr
    return lines


@pytest.mark.parametrize("name", IDS)
def test_the_java_client(lines, name):
    checks = lines[name]
    assert [what for holds, what in checks if not holds] == []


def test_every_check_of_the_java_client_has_its_test(lines):
    assert set(lines) == set(IDS)
    assert len(lines["I2"]) == 92, "one check for each id of GetSqlInfo, and one for them all"
