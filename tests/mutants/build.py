"""A copy of the tree with all mutants in it, and the test programs that are built of it."""

import collections
import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import schema

ROOT = Path(__file__).resolve().parent.parent.parent
WORK = ROOT / "target" / "mutants"
CRATE = "crates/cdse-auth"


def listed(pattern):
    """What `cargo mutants` would change, with a number each."""
    command = ["cargo", "mutants", "--list", "--json", "-f", f"{CRATE}/src/{pattern}"]
    found = json.loads(subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout)
    for number, mutant in enumerate(found):
        mutant["number"] = number
    return found


def files():
    """What is committed, and what is not committed yet."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout.decode().split("\0")
    return [name for name in names if name and (ROOT / name).is_file()]


def put(path, text):
    """Writes what has changed, so that cargo finds no more changed than that."""
    if not path.exists() or path.read_bytes() != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text)


class Build:
    """A copy of the tree with all mutants in it. It shares the target folder, for what it depends on is there already."""

    def __init__(self, mutants):
        self.mutants = mutants
        self.tree = WORK / "tree"
        self.impossible = set()  # numbers that cannot be switched
        self.sources = [name for name in files() if name.startswith(f"{CRATE}/src/")]
        self.remembered = WORK / "refused.json"
        self.refused = self.remember()  # numbers that do not compile

    def remember(self):
        digest = hashlib.sha256(b"".join((ROOT / name).read_bytes() for name in self.sources)).hexdigest()
        self.digest = digest
        if self.remembered.exists() and (earlier := json.loads(self.remembered.read_text()))["sources"] == digest:
            names = set(earlier["names"])
            return {mutant["number"] for mutant in self.mutants if mutant["name"] in names}
        return set()

    def copy(self):
        for name in files():
            text = (ROOT / name).read_bytes()
            if name in self.sources:
                continue
            if name == f"{CRATE}/Cargo.toml":
                # A mutant may leave things unused.
                text = re.sub(rb"(?ms)^\[lints\].*?(^$|\Z)", b"", text, count=1)
            if name == "Cargo.toml":
                # cargo would take two copies of one version for the same.
                text = re.sub(rb'(?m)^version = "([^"+]*)"', rb'version = "\1+mutants"', text, count=1)
            put(self.tree / name, text)

    def write(self):
        self.rendered = {}
        by_file = collections.defaultdict(list)
        for mutant in self.mutants:
            if mutant["number"] not in self.refused | self.impossible:
                by_file[mutant["file"]].append(mutant)
        for name in self.sources:
            rendered, impossible = schema.render((ROOT / name).read_bytes(), by_file[name])
            self.impossible |= {mutant["number"] for mutant in impossible}
            self.rendered[name] = rendered
            support = schema.SUPPORT.encode() if name == f"{CRATE}/src/lib.rs" else b""
            put(self.tree / name, rendered.text + support)

    def cargo(self, *words):
        environment = {**os.environ, "CARGO_TARGET_DIR": str(ROOT / "target")}
        command = ["cargo", *words, "--message-format=json"]
        return subprocess.run(command, cwd=self.tree, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)

    def weed(self):
        """Leaves out what does not compile, until the rest does."""
        self.copy()
        while True:
            self.write()
            result = self.cargo("check", "-p", "cdse-auth", "--lib", "--all-features")
            if result.returncode == 0:
                return self.keep()
            errors = [message for message in messages(result.stdout) if message.get("level") == "error"]
            bad = set().union(*(self.to_blame(error) for error in errors))
            print(f"  {len(bad)} do not compile", flush=True)
            if not bad - self.refused:
                sys.stderr.write("".join(error["rendered"] for error in errors) or result.stderr.decode()[-4000:])
                sys.exit("this does not compile, and no mutant is to blame")
            self.refused |= bad

    def keep(self):
        """For the next run, as long as the sources stay as they are."""
        names = {mutant["name"] for mutant in self.mutants if mutant["number"] in self.refused}
        if self.remembered.exists() and (earlier := json.loads(self.remembered.read_text()))["sources"] == self.digest:
            names |= set(earlier["names"])
        self.remembered.write_text(json.dumps({"sources": self.digest, "names": sorted(names)}))

    def to_blame(self, error):
        """The mutants around an error: the nearest that its place is in, or the nearest of all places that it names."""
        spans = list(self.spans(error))
        primary = [span for span in spans if span["is_primary"]]
        tries = ((which, of) for which in ("own", "whole") for of in (primary, spans))
        return next(filter(None, (self.around(of, which) for which, of in tries)), set())

    def spans(self, message):
        for span in message["spans"]:
            while span:
                yield span
                span = (span.get("expansion") or {}).get("span")
        for child in message["children"]:
            yield from self.spans(child)

    def around(self, spans, which):
        bad = set()
        for span in spans:
            rendered = self.rendered.get(span["file_name"])
            if rendered is None:
                continue
            holds = [
                (end - start, number)
                for number, start, end in getattr(rendered, which)
                if start <= span["byte_start"] and span["byte_end"] <= end
            ]
            if holds:
                least = min(holds)[0]
                bad |= {number for size, number in holds if size == least}
        return bad

    def programs(self):
        result = self.cargo("test", "-p", "cdse-auth", "--tests", "--no-run")
        if result.returncode != 0:
            sys.exit(result.stderr.decode()[-4000:])
        found = {}
        for line in result.stdout.splitlines():
            built = json.loads(line)
            if built.get("executable") and built.get("profile", {}).get("test"):
                found[built["target"]["name"]] = built["executable"]
        return found


def messages(output):
    """What the compiler said."""
    for line in output.splitlines():
        message = json.loads(line).get("message")
        if isinstance(message, dict):
            yield message
