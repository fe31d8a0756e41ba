"""Asks every server every id, prints the table of results and writes it as Markdown.

    cd tests/clients && COUNTINGHOUSE_BIN=PROGRAM python -m conformance [--peers FOLDER] [--only H1 Q5] [RESULTS.md]

FOLDER holds a virtual environment for each peer, named like its file in conformance/peers and made from it. Without it ours
alone is asked. Ends with status 1 when ours does not pass every id.
"""

import argparse
import datetime
import pathlib
import re
import sys
import tempfile

import serving
from conformance import contract
from conformance.contract import CHECKS, CONTRACT, FAIL, OURS_ONLY, PASS, REFUSED
from conformance.servers import ALL_PEERS, Countinghouse

INTRODUCTION = """\
# Flight SQL: who answers what

Measured on {date} by `make peers`, with {versions}. Every server holds the same table of twelve rows and is asked the same
questions, one for each id of the contract; the checks are in [conformance](conformance).

| word | what happened |
|---|---|
| pass | the answer held the value that was wanted: rows, a schema, a state; an empty answer is none |
| refused | the server said in order that it does not do this: UNIMPLEMENTED or INVALID_ARGUMENT |
| fail | anything else: a wrong value, INTERNAL, a lost connection, no answer in 20 seconds |
| – | cannot be asked of a peer, see the end |

The contract is Countinghouse's own, so its column shows only that the contract is kept. Peers are held to what the protocol
or a client in use needs, not to our choices; some of them write and ours does not, and then the write has to take place. They
run as their packages come, with a login where they have one. A fail is no verdict on a product: it says what a client of these
calls meets.
"""


def plain(reason, server):
    """A reason on one line, without what differs from run to run."""
    text = " ".join(reason.split())
    text = re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}", "…", text)
    text = re.sub(r"(/[\w.+-]+){3,}", "…", text)
    text = text.replace(server.address, "…").replace("|", "/").replace("`", "'")
    return contract.short(text, 180)


def ask_all(server, names, afresh=None):
    results = {}
    for name in names:
        outcome, reason = contract.ask(name, server)
        results[name] = outcome, plain(reason, server)
        print(f"{server.title:14} {name:4} {outcome:8} {results[name][1]}", flush=True)
        # One fail must not make others: what a check broke, or left running, goes with its server.
        if afresh and outcome == FAIL:
            afresh()
    return results


def ask_ours(names):
    with serving.running() as running:
        server = Countinghouse(running)
        with server.wire() as wire:
            version = wire.claim(1)
        return version, ask_all(server, names)


def ask_peer(kind, venv, names):
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        server = kind(venv, pathlib.Path(folder))

        def afresh():
            server.stop()
            server.start()

        try:
            server.start()
            return server.version(), ask_all(server, [name for name in names if name not in OURS_ONLY], afresh)
        finally:
            server.stop()


def table(results, names):
    """The rows of the Markdown table."""
    titles = list(results)
    yield "| id | what is asked | " + " | ".join(titles) + " |"
    yield "|---|---|" + "---|" * len(titles)
    for name in names:
        cells = [results[title].get(name, ("–", ""))[0] for title in titles]
        yield f"| {name} | {CONTRACT[name]} | " + " | ".join(cells) + " |"
    for outcome in (PASS, REFUSED, FAIL):
        counts = [sum(found == outcome for found, _ in results[title].values()) for title in titles]
        yield f"| | **{outcome}** | " + " | ".join(f"**{count}**" for count in counts) + " |"
    yield "| | asked | " + " | ".join(str(len(results[title])) for title in titles) + " |"


def document(results, versions, names):
    listed = ", ".join(f"{title} {version}" for title, version in versions.items())
    yield INTRODUCTION.format(date=datetime.date.today().isoformat(), versions=listed)
    yield from table(results, names)
    for title, outcomes in results.items():
        missed = [(name, outcome, reason) for name, (outcome, reason) in outcomes.items() if outcome != PASS]
        if missed:
            yield f"\n## {title}: why not\n\n| id | | the first thing that was not as wanted |\n|---|---|---|"
            yield from (f"| {name} | {outcome} | {reason} |" for name, outcome, reason in missed)
    yield "\n## What peers cannot be asked\n\n| id | why |\n|---|---|"
    yield from (f"| {name} | {why} |" for name, why in OURS_ONLY.items())


def main():
    parser = argparse.ArgumentParser(prog="python -m conformance")
    parser.add_argument("results", nargs="?", type=pathlib.Path, help="Markdown file to write")
    parser.add_argument("--peers", type=pathlib.Path, help="folder with a virtual environment for each peer")
    parser.add_argument("--only", nargs="+", choices=CONTRACT, metavar="ID", help="ids to ask")
    parser.add_argument("--servers", nargs="+", metavar="NAME", help="servers to ask: countinghouse and names of peers")
    arguments = parser.parse_args()
    names = [name for name in CONTRACT if not arguments.only or name in arguments.only]
    assert set(CHECKS) == set(CONTRACT)
    for kind in ALL_PEERS if arguments.peers else []:
        if not (arguments.peers / kind.name / "bin").is_dir():
            parser.error(f"make a virtual environment {arguments.peers / kind.name} of conformance/peers/{kind.name}.txt")
    wanted = lambda name: not arguments.servers or name in arguments.servers
    results, versions = {}, {}
    if wanted("countinghouse"):
        versions["Countinghouse"], results["Countinghouse"] = ask_ours(names)
    for kind in ALL_PEERS if arguments.peers else []:
        if wanted(kind.name):
            versions[kind.title], results[kind.title] = ask_peer(kind, arguments.peers.resolve() / kind.name, names)
    text = "\n".join(document(results, versions, names)) + "\n"
    print(text)
    if arguments.results:
        arguments.results.write_text(text, encoding="utf-8")
    ours = results.get("Countinghouse", {}).values()
    return int(any(outcome != PASS for outcome, _ in ours))


if __name__ == "__main__":
    sys.exit(main())
