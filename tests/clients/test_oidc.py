"""The login through an OpenID provider: authorization code with PKCE, groups that become roles and scope.

Two providers. `real` is oidc-provider, run by Node (tests/clients/oidc/provider.mjs); its tests are skipped, and say so, where
Node or its packages are missing. `hostile` is ours and lies when told to (tests/clients/oidc/hostile.py). What holds with every
provider is asked of both. Nobody clicks: forms are posted and redirects followed by hand.
"""

import dataclasses
import html
import itertools
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import threading
import time
import urllib.parse

import pytest
import requests
from oidc.hostile import Key, Provider, b64, sign_with_secret

FOLDER = pathlib.Path(__file__).resolve().parent / "oidc"
SESSION = "countinghouse_session"
# Signs that mean something in URLs and in basic authentication: RFC 6749, 2.3.1, has them encoded once more.
SECRET = "a secret/with+signs:and%25more=&"
PASSWORD = "correct horse battery staple"
LABELS = {"en": "Bank login", "zh-CN": "行内统一认证"}
REFUSED = {400, 401, 403}
UNREACHABLE = {502, 503, 504}
BY_BRANCH = "SELECT branch, SUM(total) AS total FROM deals GROUP BY branch ORDER BY branch"
BEIJING, SHANGHAI = {"branch": "Beijing", "total": "120.00"}, {"branch": "Shanghai", "total": "3.40"}


def settings(issuer, *, more="", groups=None, secret=True):
    return f"""
auth:
  oidc:
    issuer: {issuer}
    client_id: {"countinghouse" if secret else "public"}
    {"client_secret_file: oidc.secret" if secret else ""}
    label: {{en: {LABELS["en"]}, zh-CN: {LABELS["zh-CN"]}}}
    {more}
    groups:
      - {{group: crm-analysts, roles: [analyst], scope: head_office}}
      - {{group: beijing-crm, roles: [analyst], scope: beijing}}
      {groups or ""}
"""


class House:
    """A project and a state of its own, and the server over them."""

    def __init__(self, folder, prepared=None, added=""):
        self.project, self.state, self.log = folder / "project", folder / "state", folder / "server.log"
        shutil.copytree(FOLDER / "project", self.project)
        file = self.project / "countinghouse.yaml"
        file.write_text(file.read_text() + added)
        if prepared:
            shutil.copytree(prepared.state, self.state)
        self.process = self.http = None
        self.secrets = {SECRET, PASSWORD}

    def run(self, *arguments, stdin="", fails=False):
        """Runs a command to its end and gives what it printed; for one that must fail, what it complained."""
        command = [os.environ["COUNTINGHOUSE_BIN"], "--project", self.project, "--state", self.state, *arguments]
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=20)
        assert (done.returncode != 0) == fails, done.stderr or done.stdout
        return done.stderr if fails else done.stdout

    def keep(self, secret, mode=0o600):
        file = self.state / "oidc.secret"
        file.write_text(secret)
        file.chmod(mode)

    def start(self):
        command = [os.environ["COUNTINGHOUSE_BIN"], "--project", self.project, "--state", self.state, "--log", "debug"]
        command += ["serve", "--http", "127.0.0.1:0", "--flight", "127.0.0.1:0"]
        with self.log.open("a") as log:
            quiet = {**os.environ, "COUNTINGHOUSE_NO_SCHEDULES": "1"}
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env=quiet)
        for line in self.process.stdout:
            if line.startswith("ready "):
                self.http = dict(part.split("=", 1) for part in line.split()[1:])["http"]
                threading.Thread(target=self.process.stdout.read, daemon=True).start()
                return self
        raise RuntimeError(f"the server did not get ready:\n{self.log.read_text()}")

    def stop(self):
        if self.process:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()

    def users(self):
        """{name: (roles, scope, state)}"""
        rows = (line.split("\t") for line in self.run("user", "list").splitlines())
        return {name: (roles, scope, state) for name, roles, scope, state, *_ in rows}

    def audit(self, action):
        return [json.loads(line) for line in self.run("audit", "list", "--action", action).splitlines()]


class Browser(requests.Session):
    """Keeps cookies and follows nothing. Each has an address of its own, because one that fails often has to wait."""

    addresses = (f"127.1.{n // 250}.{n % 250 + 1}" for n in itertools.count())

    def __init__(self):
        super().__init__()
        self.trust_env = False
        adapter = requests.adapters.HTTPAdapter()
        adapter.init_poolmanager(1, 4, source_address=(next(self.addresses), 0))
        self.mount("http://", adapter)

    def request(self, method, url, **options):
        return super().request(method, url, **options | {"allow_redirects": False, "timeout": 30})


class Real:
    """oidc-provider in a process of its own."""

    def __init__(self, folder):
        with (folder / "provider.log").open("w") as log:
            command = ["node", FOLDER / "provider.mjs"]
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True)
        line = self.process.stdout.readline()
        assert line.startswith("ready issuer="), (folder / "provider.log").read_text()
        self.issuer = line.strip().removeprefix("ready issuer=")
        self.accounts, self.clients = {}, []

    def register(self, callback, secret):
        how = {"client_id": "public", "token_endpoint_auth_method": "none"}
        if secret:
            how = {"client_id": "countinghouse", "client_secret": secret, "token_endpoint_auth_method": "client_secret_basic"}
        self.clients.append({"redirect_uris": [callback]} | how)
        self.control(clients=self.clients)

    def account(self, subject, **claims):
        self.accounts[subject] = claims
        self.control(accounts=self.accounts)

    def control(self, **wanted):
        assert requests.put(f"{self.issuer}/control", json=wanted, timeout=30).ok

    def secrets(self):
        return set(requests.get(f"{self.issuer}/control", timeout=30).json())

    def close(self):
        self.process.stdin.close()
        self.process.wait(10)


class Hostile(Provider):
    def register(self, callback, secret):
        pass

    def account(self, subject, **claims):
        self.claims = {"sub": subject} | claims


@dataclasses.dataclass
class Bank:
    """A server and its provider."""

    house: House
    provider: Real | Hostile

    def begin(self, browser, next="/"):
        """Leaves for the provider; gives its address."""
        answer = browser.get(f"{self.house.http}/login/oidc", params={"next": next})
        assert answer.status_code == 303, answer.text
        assert answer.headers["location"].startswith(self.provider.issuer)
        self.house.secrets |= set(cookies(answer).values())
        return answer.headers["location"]

    def at_provider(self, browser, url, subject):
        """Logs in at the provider; gives the address that it sends the browser back to."""
        for _ in range(12):
            answer = browser.get(url)
            if not answer.is_redirect:
                action = html.unescape(re.search(r'<form[^>]* action="([^"]+)" method="post"', answer.text)[1])
                prompt = re.search(r'name="prompt" value="(\w+)"', answer.text)[1]
                form = {"prompt": prompt, "login": subject, "password": "x"}
                answer = browser.post(urllib.parse.urljoin(url, action), data=form)
            url = urllib.parse.urljoin(url, answer.headers["location"])
            if url.startswith(f"{self.house.http}/login/oidc/callback"):
                parameters = query(url)
                self.house.secrets |= {parameters[name] for name in ("code", "state") if parameters.get(name)}
                return url
        raise RuntimeError(f"the provider does not let {subject} go: {url}")

    def finish(self, browser, callback):
        answer = browser.get(callback)
        self.house.secrets |= set(cookies(answer).values())
        return answer

    def login(self, browser, name, groups, *, subject=None, next="/"):
        """The whole way; gives the answer to the callback."""
        subject = subject or f"s-{name}"
        self.provider.account(subject, preferred_username=name, groups=groups)
        return self.finish(browser, self.at_provider(browser, self.begin(browser, next), subject))

    def sql(self, browser, sql=BY_BRANCH):
        return browser.post(f"{self.house.http}/api/sql", json={"sql": sql})

    def rows(self, browser):
        answer = self.sql(browser)
        assert answer.status_code == 200, answer.text
        return answer.json()["rows"]

    def with_password(self, browser, name, password, next="/"):
        page = browser.get(f"{self.house.http}/login", params={"next": next})
        # What the page makes of `next` comes back with the form.
        form = {name: html.unescape(value) for name, value in re.findall(r'name="(token|next)" value="([^"]*)"', page.text)}
        return browser.post(f"{self.house.http}/login", data={"name": name, "password": password} | form)


def cookies(answer):
    """Names and values that an answer sets; an emptied one is not among them."""
    pairs = (cookie.split(";")[0].split("=", 1) for cookie in answer.raw.headers.getlist("set-cookie"))
    return {name: value for name, value in pairs if value}


def query(url):
    return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(url).query))


def changed(url, **parameters):
    """The address with other parameters; None leaves one out."""
    pairs = {name: value for name, value in (query(url) | parameters).items() if value is not None}
    return f"{url.partition('?')[0]}?{urllib.parse.urlencode(pairs)}"


def let_in(answer, to="/"):
    assert (answer.status_code, answer.headers.get("location")) == (303, to), answer.text
    assert SESSION in cookies(answer)


def refused(answer, statuses=REFUSED):
    """A page that says no, and no session."""
    assert answer.status_code in statuses, (answer.status_code, answer.headers.get("location"), answer.text)
    assert SESSION not in cookies(answer)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["x-correlation-id"] in answer.text


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """A loaded state with one local login."""
    if not os.environ.get("COUNTINGHOUSE_BIN"):
        pytest.skip("COUNTINGHOUSE_BIN names no program: these tests start servers of their own")
    house = House(tmp_path_factory.mktemp("prepared"))
    house.run("load", house.project / "feed/feed.yaml")
    house.run("user", "add", "local", "--role", "reader", "--branch", "shanghai", stdin=f"{PASSWORD}\n")
    return house


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    if not shutil.which("node") or not (FOLDER / "node_modules/oidc-provider").is_dir():
        pytest.skip("node or tests/clients/oidc/node_modules is missing (npm ci): there is no real OpenID provider")
    provider = Real(tmp_path_factory.mktemp("provider"))
    yield provider
    provider.close()


@pytest.fixture(scope="module")
def hostile():
    provider = Hostile("countinghouse", SECRET)
    yield provider
    provider.close()


@pytest.fixture(scope="module")
def banks(prepared, tmp_path_factory):
    """Makes a bank of a provider."""
    started = []

    def make(provider, **options):
        secret = options.get("secret", True)
        house = House(tmp_path_factory.mktemp("house"), prepared, settings(provider.issuer, **options))
        if secret:
            house.keep(SECRET + "\n")  # as an editor leaves it
        started.append(house)
        house.start()
        provider.register(f"{house.http}/login/oidc/callback", SECRET if secret else None)
        return Bank(house, provider)

    yield make
    for house in started:
        house.stop()


@pytest.fixture(scope="module")
def real_bank(banks, real):
    return banks(real)


@pytest.fixture(scope="module")
def hostile_bank(banks, hostile):
    return banks(hostile)


@pytest.fixture(params=["real", "hostile"])
def bank(request):
    """Both, one after the other."""
    bank = request.getfixturevalue(f"{request.param}_bank")
    if request.param == "hostile":
        bank.provider.be_honest()
    return bank


@pytest.fixture
def liar(hostile_bank):
    """The bank whose provider is about to lie."""
    hostile_bank.provider.be_honest()
    hostile_bank.provider.account("s-eve", preferred_username="eve", groups=["crm-analysts"])
    yield hostile_bank
    hostile_bank.provider.be_honest()


# -- the way there


@pytest.mark.parametrize("language", LABELS)
def test_the_login_page_offers_the_provider(bank, language):
    page = Browser().get(f"{bank.house.http}/login", params={"lang": language, "next": "/reports?format=json"})
    # A link: the policy `form-action 'self'` would stop a form at the provider's redirect.
    (href,) = re.findall(rf'<a [^>]*href="(/login/oidc[^"]*)"[^>]*>\s*{LABELS[language]}', page.text)
    assert query(html.unescape(href)) == {"next": "/reports?format=json"}
    assert 'name="password"' in page.text


def test_without_settings_there_is_no_provider(prepared):
    try:
        house = prepared.start()
        assert "oidc" not in Browser().get(f"{house.http}/login").text
        for path in ("/login/oidc", "/login/oidc/callback?code=c&state=s"):
            refused(Browser().get(house.http + path), {404})
    finally:
        prepared.stop()


def test_the_request_to_the_provider(bank):
    asked = []
    for _ in range(2):
        answer = Browser().get(f"{bank.house.http}/login/oidc", params={"next": "/reports"})
        url = answer.headers["location"]
        asked.append(query(url))
        assert (answer.status_code, answer.headers["cache-control"]) == (303, "no-store")
        (cookie,) = answer.raw.headers.getlist("set-cookie")
        attributes = {part.strip().lower() for part in cookie.split(";")[1:]}
        # Not `Strict`: the provider's redirect back is another site's doing.
        assert {"httponly", "samesite=lax"} < attributes
        assert any(part.startswith("path=/login") for part in attributes)
        (age,) = (int(part.removeprefix("max-age=")) for part in attributes if part.startswith("max-age="))
        assert 60 <= age <= 900
        # What the provider is not to know before the exchange is not in the address.
        assert not any(value in url for value in cookies(answer).values())
    for request in asked:
        assert request["response_type"] == "code" and request["client_id"] == "countinghouse"
        assert request["redirect_uri"] == f"{bank.house.http}/login/oidc/callback"
        assert "openid" in request["scope"].split()
        assert request["code_challenge_method"] == "S256" and re.fullmatch(r"[\w-]{43}", request["code_challenge"])
        assert "client_secret" not in request and "code_verifier" not in request
    for name in ("state", "nonce", "code_challenge"):
        assert len(asked[0][name]) >= 22 and asked[0][name] != asked[1][name]
    assert len({asked[0][name] for name in ("state", "nonce", "code_challenge")}) == 3


# -- in


def test_groups_become_roles_and_scope(bank):
    head_office, beijing = Browser(), Browser()
    let_in(bank.login(head_office, "li_ming", ["staff", "crm-analysts"]))
    let_in(bank.login(beijing, "wang_fang", ["beijing-crm", "staff"], next="/reports?format=json"), "/reports?format=json")
    assert bank.rows(head_office) == [BEIJING, SHANGHAI]
    assert bank.rows(beijing) == [BEIJING]
    assert bank.sql(beijing, "SELECT * FROM shanghai.deals").status_code == 404
    for browser, name in ((head_office, "li_ming"), (beijing, "wang_fang")):
        page = browser.get(f"{bank.house.http}/")
        assert page.status_code == 200 and name in page.text
    users = bank.house.users()
    assert users["li_ming"] == ("analyst", "head_office", "active")
    assert users["wang_fang"] == ("analyst", "beijing", "active")
    logins = {record["principal"]: record["detail"] for record in bank.house.audit("login")}
    assert logins["li_ming"]["by"] == logins["wang_fang"]["by"] == "oidc"


def test_a_public_client_has_only_pkce(banks, hostile, real):
    bank = banks(real, secret=False)
    browser = Browser()
    let_in(bank.login(browser, "li_ming", ["crm-analysts"]))
    assert bank.rows(browser) == [BEIJING, SHANGHAI]


def test_other_claims_can_be_named(banks, hostile):
    hostile.be_honest()
    bank = banks(hostile, more="name_claim: email\n    groups_claim: memberOf")
    hostile.account("s-1", preferred_username="no", email="li_ming@bank.example", groups=["none"], memberOf=["beijing-crm"])
    browser = Browser()
    let_in(bank.finish(browser, bank.at_provider(browser, bank.begin(browser), "")))
    assert bank.rows(browser) == [BEIJING]
    assert "li_ming@bank.example" in bank.house.users()


def test_the_first_group_of_the_file_counts(bank):
    browser = Browser()
    let_in(bank.login(browser, "zhao_lei", ["beijing-crm", "crm-analysts"]))
    assert bank.house.users()["zhao_lei"] == ("analyst", "head_office", "active")


def test_rights_follow_the_groups(bank):
    before, after = Browser(), Browser()
    let_in(bank.login(before, "chen_jie", ["crm-analysts"]))
    assert bank.rows(before) == [BEIJING, SHANGHAI]
    let_in(bank.login(after, "chen_jie", ["beijing-crm"]))
    assert bank.house.users()["chen_jie"] == ("analyst", "beijing", "active")
    assert bank.rows(after) == [BEIJING]
    # A session of before has today's rights, or none.
    answer = bank.sql(before)
    assert answer.status_code == 401 or answer.json()["rows"] == [BEIJING]
    let_in(bank.login(Browser(), "chen_jie", ["crm-analysts"]))
    assert bank.house.users()["chen_jie"] == ("analyst", "head_office", "active")


def test_each_login_is_a_new_session(bank):
    browser = Browser()
    let_in(bank.login(browser, "sun_li", ["beijing-crm"]))
    first = browser.cookies[SESSION]
    let_in(bank.login(browser, "sun_li", ["beijing-crm"]))
    assert browser.cookies[SESSION] != first
    way = cookies(Browser().get(f"{bank.house.http}/login/oidc"))
    assert way and not way.keys() & set(browser.cookies.keys())  # the cookie of the way there is gone
    old = Browser()
    old.cookies.set(SESSION, first)
    assert bank.sql(old).status_code == 401
    # A session that somebody planted before the login is worth nothing after it.
    planted = Browser()
    planted.cookies.set(SESSION, "cts_" + "0" * 64, domain="127.0.0.1", path="/")
    let_in(bank.login(planted, "sun_li", ["beijing-crm"]))
    assert planted.cookies[SESSION] != "cts_" + "0" * 64

    token = re.search(r'name="token" value="(\w+)"', browser.get(f"{bank.house.http}/").text)[1]
    kept = browser.cookies[SESSION]
    assert browser.post(f"{bank.house.http}/logout", data={"token": token}).status_code == 303
    old.cookies.set(SESSION, kept)
    assert bank.sql(old).status_code == 401


# What a browser makes of the text decides: it takes `\` for `/`, drops tabs, and resolves dots before it looks at `//`.
ELSEWHERE = [
    "https://evil.example/", "//evil.example/", "///evil.example", "/\\evil.example/", "\\\\evil.example", "https:evil.example",
    "/\t/evil.example", "javascript:alert(1)", "/\r\nset-cookie: evil=1", "evil.example",
    "/.//evil.example", "/..//evil.example", "/%2e//evil.example", "/login/../..//evil.example", "/a/..//evil.example",
    "/./\\evil.example",
]  # fmt: skip


@pytest.mark.parametrize("way", ["password", "oidc"])
@pytest.mark.parametrize("next", ELSEWHERE)
def test_nobody_is_sent_elsewhere(hostile_bank, way, next):
    hostile_bank.provider.be_honest()
    if way == "oidc":
        answer = hostile_bank.login(Browser(), "li_ming", ["crm-analysts"], next=next)
    else:
        answer = hostile_bank.with_password(Browser(), "local", PASSWORD, next)
    assert answer.status_code == 303 and "evil" not in cookies(answer)
    target = answer.headers["location"]
    assert re.fullmatch(r"/([^/\\\s][^\\\s]*)?", target), target


def test_the_page_to_return_to_is_not_taken_from_the_callback(hostile_bank):
    hostile_bank.provider.be_honest()
    browser = Browser()
    callback = hostile_bank.at_provider(browser, hostile_bank.begin(browser, "/reports"), "")
    let_in(hostile_bank.finish(browser, changed(callback, next="/elsewhere")), "/reports")


# -- not in: who it is


def test_without_a_group_nobody_gets_in(bank):
    for groups in ([], ["staff"], ["CRM-Analysts"], ["crm-analysts "], ["crm-analysts2"], ["crm-analysts,beijing-crm"]):
        browser = Browser()
        refused(bank.login(browser, "nobody", groups), {403})
        assert bank.sql(browser).status_code == 401
    assert "nobody" not in bank.house.users()
    failed = [record["detail"]["by"] for record in bank.house.audit("login_failed") if record["principal"] == "nobody"]
    assert failed and set(failed) == {"oidc"}


def test_a_lost_group_ends_the_login(bank):
    browser = Browser()
    let_in(bank.login(browser, "qian_wei", ["crm-analysts"]))
    refused(bank.login(Browser(), "qian_wei", ["staff"]), {403})
    # The old session shows nothing any more: the provider has said that there are no rights.
    assert bank.sql(browser).status_code in {401, 403}


def test_a_disabled_login_stays_out(bank):
    browser = Browser()
    let_in(bank.login(browser, "zhou_min", ["crm-analysts"]))
    bank.house.run("user", "disable", "zhou_min")
    assert bank.sql(browser).status_code == 401
    refused(bank.login(Browser(), "zhou_min", ["crm-analysts"]))
    assert bank.house.users()["zhou_min"][2] == "disabled"
    bank.house.run("user", "enable", "zhou_min")
    let_in(bank.login(Browser(), "zhou_min", ["crm-analysts"]))


def test_a_local_login_is_not_taken_over(bank):
    before = bank.house.users()["local"]
    browser = Browser()
    refused(bank.login(browser, "local", ["crm-analysts"]), {409})
    assert bank.sql(browser).status_code == 401
    assert bank.house.users()["local"] == before
    answer = bank.with_password(browser, "local", PASSWORD)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")


def test_a_name_belongs_to_one_subject(bank):
    """Providers give the name of somebody who left to somebody new; the subject is never given again."""
    let_in(bank.login(Browser(), "wu_xia", ["beijing-crm"], subject="s-wu-xia-1"))
    refused(bank.login(Browser(), "wu_xia", ["crm-analysts"], subject="s-wu-xia-2"), {409})
    assert bank.house.users()["wu_xia"] == ("analyst", "beijing", "active")
    let_in(bank.login(Browser(), "wu_xia", ["beijing-crm"], subject="s-wu-xia-1"))


def test_whoever_is_renamed_stays_one_login(bank):
    let_in(bank.login(Browser(), "zheng_na", ["beijing-crm"], subject="s-zheng"))
    browser = Browser()
    let_in(bank.login(browser, "feng_na", ["beijing-crm"], subject="s-zheng"))
    assert len({"zheng_na", "feng_na"} & bank.house.users().keys()) == 1
    assert bank.rows(browser) == [BEIJING]


def test_such_a_login_has_no_password(bank):
    let_in(bank.login(Browser(), "li_ming", ["crm-analysts"]))
    assert "li_ming" in bank.house.run("user", "password", "li_ming", stdin=f"{PASSWORD}\n", fails=True)
    for password in ("", PASSWORD):
        answer = bank.with_password(Browser(), "li_ming", password)
        assert answer.status_code == 401 and SESSION not in cookies(answer)


NAMES = ["", " ", "li ming", "li\nming", "li\x00ming", "<b>li</b>", "../li", "x" * 65, "李:明", 5, None, True, ["li_ming"], {}]


@pytest.mark.parametrize("name", NAMES, ids=map(repr, NAMES))
def test_a_name_that_is_none_is_refused(liar, name):
    before = liar.house.users()
    browser = Browser()
    answer = liar.login(browser, name, ["crm-analysts"], subject="s-odd")
    refused(answer)
    assert "<b>li" not in answer.text
    assert liar.house.users() == before


GROUPS = [None, "staff", 5, {"crm-analysts": True}, [5, None, ["crm-analysts"], {"group": "crm-analysts"}], "x" * 100_000]


@pytest.mark.parametrize("groups", GROUPS, ids=lambda groups: repr(groups)[:30])
def test_groups_that_are_none_give_no_rights(liar, groups):
    refused(liar.login(Browser(), "odd", groups), {403})


# -- not in: the browser


def test_a_callback_belongs_to_its_browser(bank):
    bank.provider.account("s-eve", preferred_username="eve", groups=["crm-analysts"])
    eve, victim, late = Browser(), Browser(), Browser()
    callback = bank.at_provider(eve, bank.begin(eve), "s-eve")
    # A browser that asked for nothing, and one that asked for something else: or Eve could log others in as herself.
    refused(bank.finish(victim, callback))
    bank.begin(late)
    refused(bank.finish(late, callback))
    for browser in (victim, late):
        assert bank.sql(browser).status_code == 401


def test_a_callback_counts_once(bank):
    bank.provider.account("s-eve", preferred_username="eve", groups=["beijing-crm"])
    browser = Browser()
    url = bank.begin(browser)
    way = {cookie.name: cookie for cookie in browser.cookies}
    callback = bank.at_provider(browser, url, "s-eve")
    let_in(bank.finish(browser, callback))
    refused(bank.finish(browser, callback))
    assert bank.rows(browser) == [BEIJING]  # who is in stays in
    # With the cookie put back too: the provider takes the code once.
    thief = Browser()
    for cookie in way.values():
        thief.cookies.set_cookie(cookie)
    refused(bank.finish(thief, callback), REFUSED | {502})
    assert bank.sql(thief).status_code == 401


CALLBACKS = {
    "another state": {"state": "A" * 43},
    "an empty state": {"state": ""},
    "no state": {"state": None},
    "no code": {"code": None},
    "an empty code": {"code": ""},
    "another code": {"code": "A" * 43},
    "another issuer": {"iss": "https://evil.example"},
    "no issuer": {"iss": None},
    "an error": {"code": None, "error": "access_denied", "error_description": "<script>alert(1)</script>"},
    "an error and a code": {"error": "access_denied", "error_description": "<script>alert(1)</script>"},
    "an error without state": {"code": None, "state": None, "error": "login_required"},
}


@pytest.mark.parametrize("case", CALLBACKS)
def test_a_changed_callback_is_refused(bank, case):
    """The issuer stands in the callback because both providers say so in their discovery (RFC 9207)."""
    bank.provider.account("s-eve", preferred_username="eve", groups=["beijing-crm"])
    browser = Browser()
    callback = changed(bank.at_provider(browser, bank.begin(browser), "s-eve"), **CALLBACKS[case])
    answer = bank.finish(browser, callback)
    refused(answer, REFUSED | {502} if case == "another code" else REFUSED)
    assert "<script>alert" not in answer.text
    assert bank.sql(browser).status_code == 401


def test_a_parameter_that_stands_twice_is_refused(liar):
    for name in ("code", "state"):
        browser = Browser()
        callback = liar.at_provider(browser, liar.begin(browser), "s-eve")
        refused(liar.finish(browser, f"{callback}&{name}=B"))
        assert liar.sql(browser).status_code == 401


def test_a_changed_cookie_is_refused(liar):
    browser = Browser()
    callback = liar.at_provider(browser, liar.begin(browser), "s-eve")
    (cookie,) = browser.cookies
    cookie.value = cookie.value[:-2] + ("00" if cookie.value[-2:] != "00" else "11")
    browser.cookies.set_cookie(cookie)
    refused(liar.finish(browser, callback))


def test_the_callback_takes_no_other_method(liar):
    browser = Browser()
    callback = liar.at_provider(browser, liar.begin(browser), "s-eve")
    refused(browser.post(callback), {405})
    refused(browser.post(f"{liar.house.http}/login/oidc"), {405})
    let_in(liar.finish(browser, callback))


# -- not in: the token


def without(claims, name):
    return {key: value for key, value in claims.items() if key != name}


def resigned(token, **claims):
    """Other claims under the signature of these."""
    header, _, signature = token.split(".")
    return f"{header}.{b64(claims)}.{signature}"


def claim(**changes):
    return lambda provider, claims: provider.key.sign(claims | {name: make(claims) for name, make in changes.items()})


NOW = int(time.time())
TOKENS = {
    "another issuer": claim(iss=lambda claims: "https://evil.example"),
    "an issuer with a slash": claim(iss=lambda claims: claims["iss"] + "/"),
    "no issuer": lambda p, claims: p.key.sign(without(claims, "iss")),
    "another audience": claim(aud=lambda _: "another"),
    "other audiences": claim(aud=lambda _: ["another", "third"]),
    "an audience more": claim(aud=lambda _: ["countinghouse", "another"]),
    "an audience more, for another": claim(aud=lambda _: ["countinghouse", "another"], azp=lambda _: "another"),
    "no audiences": claim(aud=lambda _: []),
    "no audience": lambda p, claims: p.key.sign(without(claims, "aud")),
    "for another": claim(azp=lambda _: "another"),
    "another nonce": claim(nonce=lambda _: "A" * 43),
    "an empty nonce": claim(nonce=lambda _: ""),
    "null for a nonce": claim(nonce=lambda _: None),
    "no nonce": lambda p, claims: p.key.sign(without(claims, "nonce")),
    "expired": claim(exp=lambda _: NOW - 3600, iat=lambda _: NOW - 7200),
    "no end": lambda p, claims: p.key.sign(without(claims, "exp")),
    "text for an end": claim(exp=lambda claims: str(claims["exp"])),
    "not yet": claim(nbf=lambda _: NOW + 86_400),
    "no subject": lambda p, claims: p.key.sign(without(claims, "sub")),
    "an empty subject": claim(sub=lambda _: ""),
    "a number for a subject": claim(sub=lambda _: 5),
    "no signature": lambda p, claims: f"{b64({'alg': 'none'})}.{b64(claims)}.",
    "no signature, in capitals": lambda p, claims: f"{b64({'alg': 'NONE', 'kid': 'one'})}.{b64(claims)}.",
    "none, but signed": lambda p, claims: p.key.sign(claims, alg="none"),
    "signed with the secret": lambda p, claims: sign_with_secret(SECRET.encode(), claims, kid="one"),
    "signed with the public key": lambda p, claims: sign_with_secret(p.key.pem(), claims, kid="one"),
    "signed with nothing": lambda p, claims: sign_with_secret(b"", claims, kid="one"),
    "another key of that name": lambda p, claims: p.unknown_key.sign(claims),
    "a key of no name that is known": lambda p, claims: p.unknown_key.sign(claims, kid="two"),
    "its own key": lambda p, claims: p.unknown_key.sign(claims, jwk=p.unknown_key.public()),
    "a key from elsewhere": lambda p, claims: p.unknown_key.sign(claims, kid="two", jku=f"{p.issuer}/elsewhere"),
    "another algorithm": lambda p, claims: p.key.sign(claims, alg="RS512"),
    "a critical header": lambda p, claims: p.key.sign(claims, crit=["later"], later=True),
    "changed afterwards": lambda p, claims: resigned(p.key.sign(claims), **claims | {"groups": ["crm-analysts", "more"]}),
    "cut": lambda p, claims: p.key.sign(claims)[:-8],
    "without the last part": lambda p, claims: p.key.sign(claims).rpartition(".")[0],
    "no JSON": lambda p, claims: f"{b64({'alg': 'RS256', 'kid': 'one'})}.{b64(b'no')}.{b64(b'no')}",
    "no token": lambda p, claims: None,
    "an empty token": lambda p, claims: "",
    "five parts": lambda p, claims: p.key.sign(claims) + ".e30.e30",
}


@pytest.mark.parametrize("case", TOKENS)
def test_a_false_token_is_refused(liar, case):
    provider, browser = liar.provider, Browser()
    provider.token = lambda claims: TOKENS[case](provider, claims)
    asked = len(provider.asked)
    answer = liar.finish(browser, liar.at_provider(browser, liar.begin(browser), "s-eve"))
    refused(answer, REFUSED | UNREACHABLE)
    paths = {path for path, _ in provider.asked[asked:]}
    assert "/token" in paths and "/elsewhere" not in paths
    assert liar.sql(browser).status_code == 401
    # And the next one, which is right, is let in.
    provider.token = provider.key.sign
    let_in(liar.finish(browser, liar.at_provider(browser, liar.begin(browser), "s-eve")))


RIGHT = {
    "audiences in a list": claim(aud=lambda claims: ["countinghouse"]),
    "for us": claim(azp=lambda _: "countinghouse"),
    "a clock that is somewhat ahead": claim(iat=lambda claims: claims["iat"] + 20),
    "a key without a name": lambda p, claims: p.key.sign(claims, kid=None),
    "no type": lambda p, claims: p.key.sign(claims, typ=None),
}


@pytest.mark.parametrize("case", RIGHT)
def test_a_token_that_is_right_is_taken(liar, case):
    provider, browser = liar.provider, Browser()
    provider.token = lambda claims: RIGHT[case](provider, claims)
    let_in(liar.finish(browser, liar.at_provider(browser, liar.begin(browser), "s-eve")))


def test_the_keys_may_change(liar):
    provider = liar.provider
    let_in(liar.login(Browser(), "li_ming", ["crm-analysts"]))
    new = Key("new")
    provider.keys, provider.token = [new], new.sign
    let_in(liar.login(Browser(), "li_ming", ["crm-analysts"]))
    # What was signed with the old one is worth nothing now.
    provider.token = provider.key.sign
    refused(liar.login(Browser(), "li_ming", ["crm-analysts"]), REFUSED | {502})


# -- a provider that does not do its part

ANSWERS = {
    "an error": (400, "application/json", {"error": "invalid_grant", "error_description": "<script>alert(1)</script>"}, {}),
    "a fault": (500, "text/html", b"<html>", {}),
    "no JSON": (200, "text/html", b"<html>", {}),
    "a list": (200, "application/json", [], {}),
    "nothing": (200, "application/json", b"", {}),
    "somewhere else": (307, "text/html", b"", {"location": "/elsewhere"}),
    "far too much": (200, "application/json", b'{"id_token": "' + b"x" * 20_000_000 + b'"}', {}),
}


@pytest.mark.parametrize("case", ANSWERS)
def test_no_token_no_login(liar, case):
    browser = Browser()
    liar.provider.token_answer = ANSWERS[case]
    asked = len(liar.provider.asked)
    answer = liar.finish(browser, liar.at_provider(browser, liar.begin(browser), "s-eve"))
    refused(answer, REFUSED | UNREACHABLE)
    assert "<script>alert" not in answer.text
    assert "/elsewhere" not in {path for path, _ in liar.provider.asked[asked:]}  # the secret is not carried there
    assert liar.sql(browser).status_code == 401


def test_a_provider_that_is_away_keeps_nobody_waiting(banks):
    provider = Hostile("countinghouse", SECRET)
    bank = banks(provider)
    browser = Browser()
    callback = bank.at_provider(browser, bank.begin(browser), "")
    provider.close()
    began = time.monotonic()
    refused(bank.finish(browser, callback), UNREACHABLE)
    answer = Browser().get(f"{bank.house.http}/login/oidc")
    if answer.status_code != 303:  # the browser finds out, or the server did
        refused(answer, UNREACHABLE)
    assert time.monotonic() - began < 20
    # Everybody else is served.
    assert bank.with_password(Browser(), "local", PASSWORD).status_code == 303
    assert requests.get(f"{bank.house.http}/readyz", timeout=30).status_code == 200


DISCOVERIES = {
    "another issuer": {"issuer": "https://evil.example"},
    "no issuer": {"issuer": None},
    "plain HTTP elsewhere": {"token_endpoint": "http://login.example/token"},
    "keys over plain HTTP elsewhere": {"jwks_uri": "http://login.example/keys"},
    "no endpoint": {"token_endpoint": None},
    "not an address": {"authorization_endpoint": "javascript:alert(1)"},
}


@pytest.mark.parametrize("case", DISCOVERIES)
def test_a_false_discovery_is_refused(banks, hostile, case):
    """At the start or at the first login; nobody is sent to the provider."""
    hostile.be_honest()
    hostile.discovery = DISCOVERIES[case]
    try:
        bank = banks(hostile)
        refused(Browser().get(f"{bank.house.http}/login/oidc"), REFUSED | UNREACHABLE)
    except RuntimeError as stopped:
        assert "oidc" in str(stopped)
        return
    finally:
        hostile.be_honest()
    # It is asked again, not remembered as wrong.
    let_in(bank.login(Browser(), "li_ming", ["crm-analysts"]))


# -- settings

# (what the settings say, where the fault stands, a word of it)
ISSUER = "https://login.bank.example"
FAULTS = {
    "administrator": (
        settings(ISSUER, groups="- {group: admins, roles: [analyst, administrator], scope: head_office}"),
        "group: admins",
        "administrator",
    ),
    "unknown role": (settings(ISSUER, groups="- {group: g, roles: [wizard], scope: head_office}"), "group: g,", "wizard"),
    "no role": (settings(ISSUER, groups="- {group: g, roles: [], scope: head_office}"), "group: g,", "role"),
    "no scope": (settings(ISSUER, groups="- {group: g, roles: [analyst]}"), "group: g,", "scope"),
    "bad scope": (settings(ISSUER, groups="- {group: g, roles: [analyst], scope: NORTH}"), "group: g,", "NORTH"),
    "unknown key": (settings(ISSUER, more="secret: abc"), "secret: abc", "secret"),
    "plain HTTP": (settings("http://login.bank.example"), "issuer:", "https"),
    "plain HTTP, almost here": (settings("http://127.0.0.1.bank.example"), "issuer:", "https"),
    "no address": (settings("login.bank.example"), "issuer:", "issuer"),
    "with a query": (settings("https://login.bank.example/?a=b"), "issuer:", "issuer"),
    "no client": (settings(ISSUER).replace("client_id: countinghouse", ""), None, "client_id"),
    "group twice": (
        settings(ISSUER, groups="- {group: beijing-crm, roles: [reader], scope: head_office} # again"),
        "# again",
        "beijing-crm",
    ),
}


@pytest.mark.parametrize("case", FAULTS)
def test_settings_that_cannot_be_meant_are_refused(prepared, tmp_path, case):
    added, place, word = FAULTS[case]
    house = House(tmp_path, prepared, added)
    lines = (house.project / "countinghouse.yaml").read_text().splitlines()
    number = next((n for n, line in enumerate(lines, 1) if place and place in line), r"\d+")
    for arguments in (["check"], ["serve", "--http", "127.0.0.1:0", "--flight", "127.0.0.1:0"]):
        said = house.run(*arguments, fails=True)
        assert re.search(rf"countinghouse\.yaml:{number}:\d+: .*{word}", said), said


def test_all_faults_are_told_at_once(prepared, tmp_path):
    groups = "- {group: admins, roles: [administrator], scope: head_office}\n      - {group: g, roles: [wizard], scope: beijing}"
    said = House(tmp_path, prepared, settings("http://login.bank.example", groups=groups)).run("check", fails=True)
    assert all(word in said for word in ("administrator", "wizard", "https"))


@pytest.mark.parametrize("case", ["missing", "readable", "writable", "empty"])
def test_the_secret_is_kept_by_its_owner(prepared, hostile, tmp_path, case):
    house = House(tmp_path, prepared, settings(hostile.issuer))
    if case != "missing":
        house.keep("\n" if case == "empty" else SECRET, {"readable": 0o640, "writable": 0o602}.get(case, 0o600))
    house.run("check")  # a check needs no secret
    said = house.run("serve", "--http", "127.0.0.1:0", "--flight", "127.0.0.1:0", fails=True)
    assert "oidc.secret" in said and SECRET not in said


def test_a_restart_keeps_who_is_in(hostile_bank):
    hostile_bank.provider.be_honest()
    browser = Browser()
    let_in(hostile_bank.login(browser, "li_ming", ["crm-analysts"]))
    hostile_bank.house.stop()
    hostile_bank.house.start()
    assert hostile_bank.rows(browser) == [BEIJING, SHANGHAI]


# -- last, over all that happened before


@pytest.mark.parametrize("which", ["real", "hostile"])
def test_no_secret_is_told(which, request):
    bank = request.getfixturevalue(f"{which}_bank")
    if which == "hostile":
        bank.provider.be_honest()
    let_in(bank.login(Browser(), "li_ming", ["crm-analysts"]))
    secrets = bank.house.secrets | (set(bank.provider.secrets()) if which == "real" else set(bank.provider.secrets))
    secrets = {secret for secret in secrets if secret and len(secret) > 8}
    assert len(secrets) > 5
    log = bank.house.log.read_text()
    assert "/login/oidc/callback" in log  # it is the log, and it is at `debug`
    records = bank.house.run("audit", "list", "--limit", "10000")
    found = {(place, secret) for place, text in (("log", log), ("audit", records)) for secret in secrets if secret in text}
    assert not found


def test_the_records_hold(hostile_bank):
    hostile_bank.provider.be_honest()
    let_in(hostile_bank.login(Browser(), "eve", ["crm-analysts"]))
    assert "the audit log holds" in hostile_bank.house.run("audit", "verify")
    by = {record["detail"]["by"] for record in hostile_bank.house.audit("login") if record["principal"] == "eve"}
    assert by == {"oidc"}
