"""The server under test (`serving.py` says how it is named) and connections of the ADBC driver.

Tests are named after the ids of the conformance table in the Flight SQL design (H1, Q5 ...).
"""

import pathlib

import adbc_driver_flightsql.dbapi as flightsql
import adbc_driver_manager
import pytest
import serving

HEADER = "adbc.flight.sql.rpc.call_header."

# A folder with requirements of its own is a suite of its own, in an environment without those of this one.
collect_ignore = [path.parent for path in pathlib.Path(__file__).parent.glob("*/requirements.txt")]


class Server(serving.Server):
    def connect(self, login="head_office", *, token=False, autocommit=True, headers=None):
        """An ADBC connection, by password unless told otherwise."""
        who = self.logins[login]
        if token:
            options = {adbc_driver_flightsql_option("AUTHORIZATION_HEADER"): f"Bearer {who.token}"}
        else:
            options = {"username": who.name, "password": who.password}
        options |= {HEADER + name: value for name, value in (headers or {}).items()}
        return flightsql.connect(self.flight, db_kwargs=options, autocommit=autocommit)


def adbc_driver_flightsql_option(name):
    import adbc_driver_flightsql

    return adbc_driver_flightsql.DatabaseOptions[name].value


def pytest_configure(config):
    config.addinivalue_line("markers", "heavy: needs a large download; `make clients` runs it")


@pytest.fixture(scope="session")
def server():
    try:
        with serving.running(Server) as server:
            yield server
    except serving.NotNamed as missing:
        pytest.exit(str(missing), 2)


@pytest.fixture
def connection(server):
    """A connection of the head office's analyst."""
    with server.connect() as connection:
        yield connection


@pytest.fixture
def cursor(connection):
    with connection.cursor() as cursor:
        yield cursor


def refused(error):
    """Code, text and the details (`google.rpc.ErrorInfo`) of an ADBC error."""
    details = b"".join(value for key, value in error.details if key == b"grpc-status-details-bin")
    return error.status_code, str(error), details


Status = adbc_driver_manager.AdbcStatusCode
