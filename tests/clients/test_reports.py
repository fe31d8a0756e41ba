"""Every report of the sample bank, as the portal gives it: for the bank and for a branch, in both languages."""

import json
import urllib.request

import pytest
import serving
from wire import over_http

REPORTS = sorted(path.parent.name for path in (serving.PROJECT / "reports").glob("*/report.yaml"))
LANGUAGES = ["zh-CN", "en"]


def fetch(server, login, report, **parameters):
    query = "&".join(f"{key}={value}" for key, value in parameters.items())
    request = urllib.request.Request(f"{server.http}/reports/{report}?{query}")
    request.add_header("Authorization", f"Bearer {server.logins[login].token}")
    with urllib.request.urlopen(request, timeout=120) as answer:
        return answer.read().decode()


@pytest.fixture(scope="session")
def others(server):
    """Names of the branches that are not Beijing."""
    rows = over_http(server, "SELECT DISTINCT branch, branch_code FROM deposits").to_pylist()
    names = [row["branch"] for row in rows if row["branch_code"] != "beijing"]
    assert len(names) == 27
    return names


def test_there_are_reports():
    assert len(REPORTS) >= 8


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("login", ["executive", "beijing"])
@pytest.mark.parametrize("report", REPORTS)
def test_a_report_is_whole_and_a_branch_sees_itself(server, others, report, login, language):
    page = fetch(server, login, report, lang=language)
    assert f'lang="{language}"' in page and "<svg" in page
    # A placeholder that was not filled, or a number that is none.
    assert "{" not in page.split("<main")[1].split("<style")[0].replace("{{", ""), "a placeholder is left on the page"
    assert "NaN" not in page
    figures = json.loads(fetch(server, login, report, lang=language, format="json"))
    text = json.dumps(figures, ensure_ascii=False)
    if login == "beijing":
        seen = [name for name in others if name in page or name in text]
        assert not seen, f"Beijing's {report} names {seen}"


@pytest.mark.parametrize("report", REPORTS)
def test_figures_do_not_depend_on_the_language(server, report):
    def figures(language):
        document = json.loads(fetch(server, "executive", report, lang=language, format="json"))
        return {name: len(rows) for name, rows in document["datasets"].items()}

    assert figures("zh-CN") == figures("en")
