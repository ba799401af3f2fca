#!/usr/bin/env python3
"""Builds every test and runs those that are requested; `scripts/test` and `scripts/check` call it.

Prints what failed, how long compiling and running took, and the ten slowest tests.
"""

import argparse
import concurrent.futures
import json
import os
import re
import subprocess
import sys
import time

# Most tests wait for a server, a lease or a mail, and need no CPU meanwhile.
THREADS = 2 * (os.cpu_count() or 2)
# These measure time, kill processes or fill the machine: they run after the others, one at a time.
ALONE = ("faults::", "misuse::attacks::")
OTHER_ENGINE = {"sqlite": "::case_2_postgres", "postgres": "::case_1_sqlite"}
# The format of libtest: `test faults::redis::name ... ok <1.234s>`.
RESULT = re.compile(r"^test (\S+).* \.\.\. (\w+)(?: <([\d.]+)s>)?$")


def arguments():
    parser = argparse.ArgumentParser(prog="scripts/test", description="Builds and runs the tests.")
    parser.add_argument("--engine", choices=sorted(OTHER_ENGINE), help="leave out the tests of the other engine")
    parser.add_argument("--without", action="append", default=[], metavar="NAME", help="leave out tests of this name")
    parser.add_argument("names", nargs="*", metavar="NAME", help="run only tests whose name contains one of these")
    return parser.parse_args()


def build():
    """Compiles the program and the tests; returns each test program with the folder of its package."""
    # All packages at once: a subset would change the features of libraries and compile them again.
    workspace = ["--quiet", "--workspace", "--locked"]
    # The program in the same build as the tests, for the same reason: dependencies of the tests change features, too.
    subprocess.run(["cargo", "build", *workspace, "--bin", "idp", "--tests"], check=True)
    command = ["cargo", "test", *workspace, "--no-run", "--message-format=json-render-diagnostics"]
    output = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if output.returncode != 0:
        sys.exit(1)
    messages = [json.loads(line) for line in output.stdout.splitlines()]
    found = [message for message in messages if message.get("executable") and message["profile"]["test"]]
    return [(message["executable"], os.path.dirname(message["manifest_path"])) for message in found]


def chosen(program, wanted):
    """Names of the requested tests in a test program."""
    listed = subprocess.run([program, "--list"], check=True, stdout=subprocess.PIPE, text=True).stdout
    names = [line.removesuffix(": test") for line in listed.splitlines() if line.endswith(": test")]
    without = wanted.without + ([OTHER_ENGINE[wanted.engine]] if wanted.engine else [])
    names = [name for name in names if not any(part in name for part in without)]
    return [name for name in names if not wanted.names or any(part in name for part in wanted.names)]


def run(program, folder, names, threads):
    """Runs tests of a test program; returns whether all of them passed, and how long each took."""
    if not names:
        return True, []
    # libtest reports the time of each test only with unstable options. RUSTC_BOOTSTRAP allows them, for libtest alone.
    environment = dict(os.environ, RUSTC_BOOTSTRAP="1", INSTA_UPDATE="no", VESTIBULE_PROGRAM=os.path.abspath("target/debug/idp"))
    command = [program, "-Z", "unstable-options", "--report-time", f"--test-threads={threads}", "--exact", *names]
    ended = subprocess.run(command, env=environment, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                           text=True, errors="replace")
    times, rest = [], []
    for line in ended.stdout.splitlines():
        found = RESULT.match(line)
        if found and found[3]:
            times.append((float(found[3]), found[1]))
        if line and (not found or found[2] != "ok") and not line.endswith("has been running for over 60 seconds"):
            rest.append(line)
    print(f"{os.path.basename(program)}:", *rest, sep="\n", flush=True)
    return ended.returncode == 0, times


def main():
    wanted = arguments()
    begun = time.monotonic()
    programs = [(program, folder, chosen(program, wanted)) for program, folder in build()]
    built = time.monotonic()
    results = []
    for alone in (False, True):
        with concurrent.futures.ThreadPoolExecutor(1 if alone else len(programs)) as pool:
            for program, folder, names in programs:
                names = [name for name in names if name.startswith(ALONE) == alone]
                results.append(pool.submit(run, program, folder, names, 1 if alone else THREADS))
    passed = all(result.result()[0] for result in results)
    times = [timed for result in results for timed in result.result()[1]]
    ended = time.monotonic()
    print(f"\n{len(times)} tests: compiled in {built - begun:.0f} s, run in {ended - built:.0f} s. The slowest:")
    for seconds, name in sorted(times, reverse=True)[:10]:
        print(f"{seconds:8.1f} s  {name}")
    if not passed:
        sys.exit("some tests failed: see above")


main()
