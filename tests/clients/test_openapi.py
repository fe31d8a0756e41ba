"""The HTTP interface beside its own document, `/openapi.json`, and what it says to whoever is not logged in.

schemathesis makes the requests from the document: valid ones, broken ones, methods that no route takes. They are the same ones
at every run, and every other valid one asks for something that exists, or it would only meet refusals.
"""

import http.client
import itertools
import json
import re
import tempfile
import urllib.parse

import hypothesis.configuration
import jsonschema_rs
import pytest
import requests
import schemathesis
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.generation.feedback import FeedbackSources
from schemathesis.pytest._test_builder import build_operation_test
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    content_type_conformance,
    ignored_auth,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
    unsupported_method,
    allow_header_conformance,
    ignored_auth,
]
EXAMPLES = 20  # for each operation, beside those of the coverage phase

CUBE, REPORT, BLOCK, DATASET = "deposits", "executive_overview", "risk", "branches"
# By their number of parameters.
STATEMENTS = [
    [
        "SELECT branch, month, SUM(balance) AS balance FROM deposits GROUP BY branch, month ORDER BY branch, month",
        "SELECT COUNT(*) AS n, NULL AS nothing, 0.5 AS half, TRUE AS yes, DATE '2025-11-30' AS day FROM deposits",
        "SELECT branch FROM deposits WHERE 1 = 0",
        "SELECT * FROM system.queries",
        "SELECT 1 / (SUM(balance) - SUM(balance)) FROM deposits",
        "SELECT * FROM shanghai.deposits",
        "DELETE FROM deposits",
    ],
    ["SELECT SUM(balance) AS balance FROM deposits WHERE branch = $1", "SELECT CAST($1 AS INTEGER) AS n"],
]
PAGES = ["/", "/reports", f"/reports/{REPORT}", "/reports/nothing"]
OPEN = ["/healthz", "/readyz", "/metrics", "/openapi.json", "/login", "/assets/nothing", "/nothing"]


@pytest.fixture(scope="module", autouse=True)
def no_example_database():
    """hypothesis keeps what it knows in a folder of its own; nothing is to be left in the checkout."""
    with tempfile.TemporaryDirectory() as folder:
        hypothesis.configuration.set_hypothesis_home_dir(folder)
        yield
        hypothesis.configuration.set_hypothesis_home_dir(None)


@pytest.fixture(scope="module")
def document(server):
    return requests.get(f"{server.http}/openapi.json", timeout=60).json()


@pytest.fixture(scope="module")
def names(server):
    """What only people with a login are told: cubes, reports, branches."""
    cubes = get(server, "/api/cubes", "head_office").json()["cubes"]
    reports = get(server, "/reports?format=json", "head_office").json()["reports"]
    found = {cube["name"] for cube in cubes} | {report["name"] for report in reports}
    found |= {schema for cube in cubes for schema in cube["schemas"]} - {"head_office"}  # a word of the documentation
    assert {CUBE, REPORT, "beijing"} <= found and len(found) > 30
    return re.compile(rf"\b({'|'.join(map(re.escape, found))})\b")


def elsewhere(server):
    """Strangers have an address of their own: one that fails often has to wait, and others log in from the usual one."""
    return ("127.0.0.2", 0) if server.http.startswith("http://127.") else None


def bearer(server, login):
    return {"Authorization": f"Bearer {server.logins[login].token}"} if login else {}


def get(server, path, login=None, **headers):
    headers = {**bearer(server, login), **headers}
    return requests.get(server.http + path, headers=headers, allow_redirects=False, timeout=60)


def send(server, method, path, body=None, headers=None):
    """A stranger's request, exactly as it stands here, and (status, headers, text) of its answer."""
    address = server.http.removeprefix("http://")
    connection = http.client.HTTPConnection(address, timeout=60, source_address=elsewhere(server))
    try:
        connection.request(method, path, body=body, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read().decode()
    finally:
        connection.close()


def existing(case, turns):
    """Lets every other valid case ask for something that exists."""
    if case.meta.generation.mode.is_negative:
        return
    turn = next(turns)
    if turn % 2:
        return
    for name, value in {"name": REPORT, "id": BLOCK, "dataset": DATASET}.items():
        if name in (case.path_parameters or {}):
            case.path_parameters[name] = CUBE if case.path.startswith("/api/cubes/") else value
    if case.path.startswith("/reports/{name}"):
        # Of what a report is asked for almost everything that is made up does not exist.
        case.query = {key: value for key, value in (case.query or {}).items() if key in ("format", "lang")}
    if case.path == "/api/sql" and isinstance(case.body, dict):
        parameters = case.body.get("parameters") or []
        kept = {key: case.body[key] for key in ("format", "cache") if key in case.body}
        if len(parameters) == 1:
            kept["parameters"] = parameters
        statements = STATEMENTS[len(parameters) == 1]
        case.body = kept | {"sql": statements[turn // 2 % len(statements)]}


def each_operation(server, subtests, test):
    """Runs `test(case)` with cases of every operation; gives the statuses of each."""
    config = schemathesis.Config(seed=1)
    config.projects.default.generation.update(
        max_examples=EXAMPLES, deterministic=True, no_shrink=True, database="none"
    )
    schema = schemathesis.openapi.from_url(f"{server.http}/openapi.json", config=config)
    statuses = {}

    def counting(seen):
        turns = itertools.count()

        def one(case):
            existing(case, turns)
            seen.add(test(case))

        return one

    for operation in (result.ok() for result in schema.get_all_operations()):
        one = counting(statuses.setdefault(operation.label, set()))
        # The way schemathesis' own pytest fixtures go, which do not know this pytest yet.
        run = build_operation_test(
            config=schema.config, operation=operation, test_func=one, given_kwargs={}, feedback=FeedbackSources()
        )
        with subtests.test(operation.label):
            failed = None
            try:
                run()
            except FailureGroup as failures:
                failed = str(failures)
            if failed:  # here, or the report would hold all of it three times
                pytest.fail(failed, pytrace=False)
    return statuses


def test_the_document_is_valid(server):
    schemathesis.openapi.from_url(f"{server.http}/openapi.json").validate()


@pytest.mark.parametrize("login", ["beijing", "executive"])
def test_answers_are_as_the_document_declares_them(server, login, subtests):
    headers = bearer(server, login)

    def test(case):
        # Unknown members of a statement are refused; unknown parameters of an address are the report's business.
        checks = CHECKS + [negative_data_rejection] * (case.path == "/api/sql")
        answer = case.call(headers=headers, allow_redirects=False)
        case.validate_response(answer, checks=checks, headers=headers)
        return answer.status_code

    statuses = each_operation(server, subtests, test)
    pages = ["", "/blocks/{id}", "/data/{dataset}", "/evidence", "/editions"]
    for operation in ["GET /api/cubes", "GET /", *(f"GET /reports/{{name}}{page}" for page in pages)]:
        assert 200 in statuses[operation], operation
    # Forms are for a browser's session, and how a report is made for who writes SQL.
    favourite = statuses["POST /reports/{name}/favourite"]
    assert 403 in favourite and not favourite & {200, 303}, favourite
    assert (200 in statuses["GET /reports/{name}/definition"]) == (login == "beijing")
    # Whoever may not write SQL is told so, and sees no cube.
    analyst = login == "beijing"
    assert statuses["POST /api/sql"] == ({200, 400, 404, 405, 409, 415} if analyst else {403, 405})
    assert (200 in statuses["GET /api/cubes/{name}"]) == analyst


def test_without_a_login_there_are_no_data(server, document, names, subtests):
    adapter = requests.adapters.HTTPAdapter()
    adapter.init_poolmanager(1, 1, source_address=elsewhere(server))
    stranger = requests.Session()
    stranger.mount("http://", adapter)

    def test(case):
        # Credentials of the document's kinds come with some of these; none of them is anybody's.
        answer = case.call(allow_redirects=False, session=stranger)
        case.validate_response(answer, checks=CHECKS)
        assert not names.search(answer.text), f"{case.as_curl_command()}\n{answer.text}"
        if document["paths"][case.path].get("get", {}).get("security") == []:
            assert answer.status_code in {200, 405}
        elif answer.status_code == 303:
            assert not case.path.startswith("/api")
            page, _, query = answer.headers["location"][0].partition("?")
            assert page == "/login" and answer.text == ""
            # Back to what was asked for, where that is a page.
            asked = answer.request.path_url
            comes_back = case.method.upper() == "GET" and asked != "/"
            assert urllib.parse.parse_qsl(query) == ([("next", asked)] if comes_back else [])
        elif answer.status_code != 405:
            assert answer.status_code == 401 and answer.headers["www-authenticate"] == ["Bearer"]
            assert answer.json()["code"] == "TOKEN"
        return answer.status_code

    statuses = each_operation(server, subtests, test)
    assert statuses["POST /api/sql"] == statuses["GET /api/cubes/{name}"] == {401, 405}


STRANGERS = {
    "nothing": {},
    "no token": {"Authorization": "Bearer"},
    "empty token": {"Authorization": "Bearer "},
    "unknown token": {"Authorization": "Bearer cth_" + "0" * 64},
    "long token": {"Authorization": "Bearer " + "x" * 8000},
    "two tokens": {"Authorization": "Bearer one two"},
    "not text": {"Authorization": "\xff\xfe"},
    "a password": {"Authorization": "Basic aGVhZF9vZmZpY2U6eA=="},
    "no session": {"Cookie": "countinghouse_session="},
    "unknown session": {"Cookie": "countinghouse_session=cts_" + "0" * 64},
    "the name under TLS": {"Cookie": "__Host-countinghouse=cts_" + "0" * 64},
}


@pytest.mark.parametrize("headers", STRANGERS.values(), ids=STRANGERS)
def test_strangers_are_sent_away(server, names, headers):
    statement = json.dumps({"sql": "SELECT * FROM deposits"})
    asked = [("GET", "/api/cubes", None), ("GET", f"/api/cubes/{CUBE}", None), ("POST", "/api/sql", statement)]
    for method, path, body in asked:
        status, answered, text = send(server, method, path, body, headers | {"Content-Type": "application/json"})
        assert (status, answered["content-type"]) == (401, "application/problem+json"), path
        assert not names.search(text)
    for path in PAGES:
        status, answered, text = send(server, "GET", path, None, headers)
        assert (status, text) == (303, ""), path
        assert answered["location"].startswith("/login")
    status, answered, text = send(server, "POST", "/logout", "", headers)
    assert (status, answered["location"], text) == (303, "/login", "")


def test_programs_without_a_login_are_told_so_everywhere(server):
    """A client that follows redirects would take the login page for the report it asked for."""
    expired = {"Authorization": "Bearer cth_" + "0" * 64}
    asked = [(f"/reports/{REPORT}?format={format}", expired) for format in ("json", "csv")]
    asked += [("/reports?format=json", {}), ("/reports", {"Accept": "application/json"})]
    for path, headers in asked:
        status, answered, _ = send(server, "GET", path, None, headers)
        assert (status, answered["content-type"]) == (401, "application/problem+json"), (path, headers)


def test_a_stranger_cannot_tell_what_exists(server):
    """The answer is the same for what exists and what does not, but for what the request itself said."""
    for known, unknown in [(f"/api/cubes/{CUBE}", "/api/cubes/nothing"), (f"/reports/{REPORT}", "/reports/nothing")]:
        answers = []
        for path in (known, unknown):
            status, headers, text = send(server, "GET", path)
            kept = {name.lower(): value for name, value in headers.items()}
            kept["location"] = kept.get("location", "").replace(path.rpartition("/")[2], "NAME")
            kept.pop("date")
            if text:
                text = json.loads(text)
                assert text.pop("correlation_id") == kept["x-correlation-id"]
            kept.pop("x-correlation-id")
            answers.append((status, kept, text))
        assert answers[0] == answers[1]


@pytest.mark.parametrize("path", OPEN)
def test_open_routes_hold_no_data(server, names, path):
    # Work first, so that counters have something to tell.
    requests.post(
        f"{server.http}/api/sql",
        json={"sql": "SELECT SUM(balance) FROM deposits"},
        headers=bearer(server, "beijing"),
        timeout=60,
    )
    for method in ("GET", "HEAD", "OPTIONS", "TRACE", "PUT"):
        status, _, text = send(server, method, path)
        assert status < 500
        assert not names.search(text), f"{method} {path}: {names.search(text)}"


# Requests that schemathesis does not make: (method, path, headers, body, status).
JSON = {"Content-Type": "application/json"}
ODD = [
    ("GET", "/api/cubes/%FF", {}, None, 400),
    ("GET", "/api/cubes/a%00b", {}, None, 404),
    ("GET", "/api/cubes/a%2Fb", {}, None, 404),
    ("GET", "/api/cubes/..%2F..%2Fmetrics", {}, None, 404),
    ("GET", "/api/cubes/", {}, None, 404),
    ("GET", "/api", {}, None, 404),
    ("GET", "/reports/%FF", {}, None, 400),
    ("GET", "/reports/%FF?format=json", {}, None, 400),
    ("GET", "/reports?format=%FF", {}, None, 400),
    ("GET", f"/reports/{REPORT}?scope=%00", {}, None, 404),
    ("GET", f"/reports/{REPORT}?scope=shanghai&format=json", {}, None, 404),
    ("GET", f"/reports/{REPORT}?nothing=1&format=json", {}, None, 400),
    ("GET", "/assets/%FF", {}, None, 400),
    ("GET", "/assets/icon.svg?v=1&v=2", {}, None, 400),
    ("GET", "/login?next=/a&next=/b", {}, None, 400),
    ("POST", "/login", {"Content-Type": "application/x-www-form-urlencoded"}, b"name=%FF", 422),
    ("POST", "/login", JSON, b"{}", 415),
    ("POST", "/api/sql", {}, None, 415),
    ("POST", "/api/sql", {"Content-Type": "text/plain"}, b'{"sql":"SELECT 1"}', 415),
    ("POST", "/api/sql", JSON, b"", 400),
    ("POST", "/api/sql", JSON, b"\xff", 400),
    ("POST", "/api/sql", JSON, b"null", 400),
    ("POST", "/api/sql", JSON, b"[" * 10000, 400),
    ("POST", "/api/sql", JSON, b'{"sql":"SELECT 1","sql":"SELECT 2"}', 400),
    ("POST", "/api/sql", JSON, b'{"sql":"SELECT \\ud800"}', 400),
    ("POST", "/api/sql", JSON, b'{"sql":"SELECT \\u0000"}', 400),
    ("POST", "/api/sql", JSON, b'{"sql":"SELECT 1","snapshot":1e400}', 400),
    ("POST", "/api/sql", JSON, b'{"sql":"SELECT 1","snapshot":99999999999999999999}', 400),
    ("POST", "/api/sql", JSON, b'{"sql":"SELECT 1","snapshot":9223372036854775807}', 409),
    ("POST", "/api/sql", JSON, b'{"sql":"SELECT 1","snapshot":-1}', 409),
    ("POST", "/api/sql", JSON, b'{"sql":"SELECT 1","history":"9999-99-99"}', 400),
    ("POST", "/api/sql", JSON, b'{"sql":"SELECT 1","rollups":"nothing"}', 404),
    ("POST", "/api/sql", JSON, b'{"sql":"SELECT CAST($1 AS DATE)","parameters":[{}]}', 400),
    ("POST", "/api/sql", JSON, b'{"sql":"' + b"(" * 100_000 + b'"}', 400),
    ("POST", "/api/sql", JSON, b'{"sql":"' + b"x" * (1 << 20) + b'"}', 413),
]


@pytest.mark.parametrize(("method", "path", "headers", "body", "expected"), ODD, ids=[f"{n}" for n in range(len(ODD))])
def test_odd_requests_get_answers_in_the_usual_form(server, method, path, headers, body, expected):
    """Whatever is wrong, whoever finds it, an error is a problem document or a page, and has its correlation id."""
    status, answered, text = send(server, method, path, body, {**headers, **bearer(server, "beijing")})
    assert status == expected, text
    if path.startswith("/api") or "format=" in path:
        assert answered["content-type"] == "application/problem+json"
        problem = json.loads(text)
        assert problem["status"] == status and problem["correlation_id"] == answered["x-correlation-id"]
    else:
        assert answered["content-type"] == "text/html; charset=utf-8"
        assert answered["x-correlation-id"] in text


def closed(schema):
    """The schema, but every object has all members that are declared, and no other."""
    if isinstance(schema, list):
        return [closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    schema = {key: closed(part) for key, part in schema.items()}
    if "type" in schema and isinstance(schema.get("properties"), dict):
        schema |= {"additionalProperties": False, "required": sorted(schema["properties"])}
    return schema


@pytest.mark.parametrize("login", ["head_office", "beijing", "executive"])
def test_the_document_declares_every_member(server, document, login, subtests):
    def conforms(name, value):
        schema = {"$ref": f"#/components/schemas/{name}", "components": closed(document["components"])}
        wrong = jsonschema_rs.Draft202012Validator(schema).iter_errors(value)
        assert not {f"{'/'.join(map(str, error.instance_path))}: {error.message}" for error in wrong}

    cubes = get(server, "/api/cubes", login).json()
    conforms("CubeList", cubes)
    for cube in cubes["cubes"]:
        with subtests.test(cube["name"]):
            conforms("Cube", get(server, cube["href"], login).json())
    conforms("ReportList", get(server, "/reports?format=json", login).json())
    conforms("Problem", get(server, "/api/cubes/nothing", login).json())
    conforms("Readiness", get(server, "/readyz").json())
    statement = {"sql": STATEMENTS[0][0]}
    answer = requests.post(f"{server.http}/api/sql", json=statement, headers=bearer(server, login), timeout=60)
    conforms("Problem" if login == "executive" else "Rows", answer.json())
