"""What a refresh of the rollups costs: after everything, after one month of all other branches, after one month of one
branch, and after nothing.

    python benches/refresh.py --binary target/release/countinghouse --dir FOLDER [--customers 50000]

Makes the sample bank with 24 months of 28 branches, its facts cut by month. December comes in two loads, all branches but
one and then that one, and a refresh follows each. Prints for each refresh the partitions built, the fact rows behind them,
its seconds, and the seconds beyond those of a refresh that finds nothing to do, in all and for each partition. Standard
library only.
"""

import argparse
import csv
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BRANCH = "01"
PARTED = {"balances.csv", "transactions.csv", "profit.csv", "credit.csv"}


def run(binary, project, state, *arguments):
    command = [binary, "--project", project, "--state", state, "--log", "error", *arguments]
    started = time.perf_counter()
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, arguments))}: {done.stderr}")
    return done.stdout, time.perf_counter() - started


def project(folder):
    """The sample project with every fact cut by month."""
    folder.mkdir(parents=True)
    settings = (ROOT / "countinghouse.yaml").read_text()
    (folder / "countinghouse.yaml").write_text(re.sub(r"by: (quarter|year)\b", "by: month", settings))
    shutil.copytree(ROOT / "cubes", folder / "cubes")
    return folder


def part(source, target, number, keep, whole):
    """A batch with the rows of some branches; `whole` takes the files that are not parted along."""
    target.mkdir()
    head, *files = (source / "feed.yaml").read_text().split("  - path: ")
    text = re.sub(r"batch: \d+", f"batch: {number}", head)
    for entry in files:
        name = entry.split("\n", 1)[0]
        if name in PARTED:
            # Its hash and totals are the whole file's.
            text += "  - path: " + "".join(
                line for line in entry.splitlines(True) if not line.lstrip().startswith(("sha256", "control"))
            )
            with open(source / name, newline="") as rows, open(target / name, "w", newline="") as out:
                reader, writer = csv.reader(rows), csv.writer(out, lineterminator="\n")
                header = next(reader)
                writer.writerow(header)
                place = header.index("branch")
                writer.writerows(row for row in reader if keep(row[place]))
        elif whole:
            text += "  - path: " + entry
            shutil.copy(source / name, target / name)
    (target / "feed.yaml").write_text(text)
    return target / "feed.yaml"


def refresh(binary, where, state):
    text, seconds = run(binary, where, state, "refresh")
    built = [tuple(map(int, found)) for found in re.findall(r"(\d+) partitions built, .*? for (\d+) facts", text)]
    return sum(partitions for partitions, _ in built), sum(rows for _, rows in built), seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", type=Path, required=True)
    parser.add_argument("--dir", type=Path, required=True)
    parser.add_argument("--customers", type=int, default=50_000)
    given = parser.parse_args()
    shutil.rmtree(given.dir, ignore_errors=True)
    where, state, feed = project(given.dir / "project"), given.dir / "state", given.dir / "feed"
    run(given.binary, where, state, "sample", "--out", feed, "--customers", given.customers, "--months", 24, "--seed", 1)
    others = part(feed / "batch-0002", given.dir / "others", 2, lambda branch: branch != BRANCH, True)
    one = part(feed / "batch-0002", given.dir / "one", 3, lambda branch: branch == BRANCH, False)

    lines = []
    for what, batches in [
        ("24 months, 28 branches", [feed / "batch-0001" / "feed.yaml"]),
        ("one month, the other branches", [others]),
        ("one month, one branch", [one]),
        ("nothing", []),
    ]:
        for batch in batches:
            run(given.binary, where, state, "load", batch)
        lines.append((what, *refresh(given.binary, where, state)))
    # The least of three: the machine's other work adds to any of them.
    idle = min(refresh(given.binary, where, state)[2] for _ in range(3))
    print(f"{'refresh after':32}{'partitions':>12}{'fact rows':>12}{'seconds':>10}{'beyond idle':>13}{'ms each':>10}")
    for what, partitions, rows, seconds in lines:
        beyond = max(seconds - idle, 0.0)
        each = f"{1000 * beyond / partitions:10.2f}" if partitions else f"{'':>10}"
        print(f"{what:32}{partitions:12}{rows:12}{seconds:10.2f}{beyond:13.2f}{each}")
    all_of_them, single = lines[0], lines[2]
    share = single[1] / all_of_them[1]
    cost = max(single[3] - idle, 0.0) / (all_of_them[3] - idle)
    print(f"one month of one branch: {share:.2%} of the partitions, {cost:.2%} of the time")


if __name__ == "__main__":
    main()
