"""Which tests come by which mutants, and whether one of them fails when a mutant acts."""

import collections
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from build import CRATE, WORK

# Where cargo runs the tests of the crate.
PLACE = WORK / "tree" / CRATE
# It looks for 16 bytes of a secret anywhere: code with all mutants in it leaves that much where registers are put down.
UNFIT = {"memory"}
# So many seconds take the tests that are run together.
SMALL = 2


def quietly(command, environment, limit, seen=None):
    """Runs it in a group of its own, as long as it says something within `limit`. `seen` reads each line and ends it by saying so."""
    process = subprocess.Popen(
        command, cwd=PLACE, env={**os.environ, **environment}, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True, text=True, errors="replace",
    )
    late = []

    def end():
        late.append(True)
        kill(process)

    timer = threading.Timer(limit, end)
    timer.start()
    verdict = None
    try:
        for line in process.stdout:
            timer.cancel()
            timer = threading.Timer(limit, end)
            timer.start()
            if seen and (verdict := seen(line)):
                break
        if verdict is None:
            code = process.wait()
    finally:
        timer.cancel()
        kill(process)
        process.stdout.close()
        process.wait()
    if verdict:
        return verdict
    if late:
        return "timeout"
    return "passed" if code == 0 else f"ended with {code}"


def kill(process):
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def traced(programs, workers):
    """For each test how long it takes, and by which mutants it comes."""
    tests = []
    for program, path in programs.items():
        if program in UNFIT:
            continue
        command = [path, "--list", "--format=terse"]
        text = subprocess.run(command, cwd=PLACE, stdout=subprocess.PIPE, check=True).stdout.decode()
        tests += [(program, line.removesuffix(": test")) for line in text.splitlines() if line.endswith(": test")]
    traces = WORK / "traces"
    shutil.rmtree(traces, ignore_errors=True)
    traces.mkdir(parents=True)

    def trace(item):
        index, (program, name) = item
        file, began = traces / str(index), time.monotonic()
        outcome = quietly([programs[program], "--exact", name], {"MUTANT_TRACE": str(file)}, 300)
        took = time.monotonic() - began
        reached = {int(line) for line in file.read_text().split()} if file.exists() else set()
        if outcome != "passed":
            # One that looks at its own memory, or at each allocation: a trace is in its way.
            outcome = quietly([programs[program], "--exact", name], {"MUTANT": "4095"}, 300)
            reached = None
        if outcome != "passed":
            sys.exit(f"{program} {name}: {outcome} without any mutant")
        return {"program": program, "test": name, "seconds": took, "reached": reached}

    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(trace, enumerate(tests)))


def by_program(tests):
    programs = collections.defaultdict(list)
    for test in tests:
        programs[test["program"]].append(test)
    return programs.values()


class Hunt:
    """Tries mutants, from as many threads as one likes."""

    def __init__(self, programs, tests, longest, control):
        self.programs, self.longest, self.control = programs, longest, control
        self.by_mutant = collections.defaultdict(list)
        self.untraced = [test for test in tests if test["reached"] is None]
        for test in tests:
            for number in test["reached"] or ():
                self.by_mutant[number].append(test)
        self.catchers = collections.Counter()  # tests that were the first to fail: they come first
        self.lock = threading.Lock()

    def batches(self, number):
        """The tests that come by the mutant: small ones together, a program at a time, then the long ones."""
        tests = [test for test in self.by_mutant[number] if test["seconds"] <= self.longest]
        yield from by_program(self.often(tests))
        small = [test for test in tests if test["seconds"] <= SMALL]
        yield from sorted(by_program(small), key=lambda batch: sum(test["seconds"] for test in batch))
        yield from ([test] for test in sorted(tests, key=lambda test: test["seconds"]) if test["seconds"] > SMALL)
        yield from ([test] for test in self.untraced)

    def often(self, tests):
        """Those that have failed most often so far."""
        with self.lock:
            failed = {(test["program"], test["test"]): self.catchers[test["program"], test["test"]] for test in tests}
        count = lambda test: failed[test["program"], test["test"]]
        known = [test for test in tests if count(test) and test["seconds"] <= SMALL]
        return sorted(known, key=lambda test: (-count(test), test["seconds"]))[:3]

    def verdict(self, number):
        """Caught is what fails twice: with others beside it, and the suspects by themselves."""
        acts = {"MUTANT": "4095" if self.control else str(number)}
        doubtful = []
        for batch in self.batches(number):
            outcome, suspects = self.attempt(batch, acts, 15)
            if outcome == "passed":
                continue
            by = " ".join(test["test"] for test in suspects)
            again, _ = self.attempt(suspects, acts, 30)
            if again == "passed":
                doubtful.append(f"{batch[0]['program']} {by}: {outcome}")
                continue
            with self.lock:
                self.catchers[suspects[0]["program"], suspects[0]["test"]] += 1
            return {"verdict": "caught", "how": again, "by": f"{batch[0]['program']} {by}", "doubtful": doubtful}
        return {"verdict": "missed" if self.by_mutant[number] else "no test comes by", "doubtful": doubtful}

    def attempt(self, batch, acts, patience):
        """How it ended, and which tests failed, or had not ended by then."""
        failed, ended = [], set()

        def seen(line):
            found = re.match(r"test (\S+)(?: - should panic)? \.\.\. (ok|.*FAILED)", line)
            if found and found[2] != "ok":
                failed.append(found[1])
                return "failed"
            if found:
                ended.add(found[1])
            return None

        limit = patience + 6 * max(test["seconds"] for test in batch)
        command = [self.programs[batch[0]["program"]], "--exact", "--test-threads=4", *(test["test"] for test in batch)]
        outcome = quietly(command, acts, limit, seen)
        suspects = [test for test in batch if (test["test"] in failed if failed else test["test"] not in ended)]
        return outcome, suspects or batch
