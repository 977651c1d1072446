"""The same measurements of this project: the program `cdse`, and the library where one call is meant."""
import json
import os
import pathlib
import shutil
import subprocess
import threading
import time

from service import FOR_EVER, PAGE, PASSWORD, USER
from steps import REFUSAL_TAKES, TOKEN_TAKES, attempt, outcome


class Ours:
    # A token that lives this long is renewed after 2.5 s; the other is due after 8 s and good until 12 s.
    SHORT_LIFE, DUE_LIFE, DUE_AFTER = 4, 12, 8.2
    # This one is refused after the first quarter of its life, and is not due before 11 s.
    REFUSED_LIFE, REFUSED_AFTER = 20, 5.5

    def __init__(self, program, library, service, home):
        self.program, self.library, self.service = program, library, service
        self.state = pathlib.Path(home) / "state"
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "CDSE_STATE_DIR": str(self.state),
            "CDSE_IDENTITY_URL": service.realm,
            "PEERS_SERVICE": service.origin,
        }

    def cdse(self, *arguments, **options):
        command = [self.program, *arguments]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=120, **options)
        if done.returncode:
            raise RuntimeError(f"exit code {done.returncode}: {done.stderr.strip()[:200]}")
        return done.stdout.rstrip("\n")

    def log_in(self):
        self.cdse("auth", "login", "--no-input", "--username", USER, "--password-stdin", input=PASSWORD)

    def start_anew(self, lifetime=600):
        self.service.reset(lifetime)
        shutil.rmtree(self.state, ignore_errors=True)

    def header(self):
        return f"Bearer {self.cdse('auth', 'token')}"

    def version(self):
        return {"version": self.cdse("--version").split()[-1]}

    def refusal(self, tasks):
        service = self.service
        service.reset(self.REFUSED_LIFE)
        command = [self.library, "refusal", str(tasks)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        with subprocess.Popen(command, env=self.environment, **pipes) as child:
            header = child.stdout.readline()
            time.sleep(self.REFUSED_AFTER)
            service.revoke(header.split()[1])
            service.fault({"kind": "delay", "milliseconds": int(TOKEN_TAKES * 1000)}, times=FOR_EVER)
            service.fault({"kind": "delay_answer", "milliseconds": int(REFUSAL_TAKES * 1000)}, "resource", tasks)
            service.forget()
            told, _ = child.communicate("\n", timeout=120)
        counted = service.counters()
        service.no_faults()
        if child.returncode or counted["resource_refused"] < tasks:
            raise RuntimeError(f"{child.returncode}, {counted['resource_refused']} of {tasks} tasks were refused")
        told = json.loads(told)
        seconds = told["seconds"] - REFUSAL_TAKES
        return {"requests": counted["token_requests"], "served": told["served"], "seconds": seconds, "error": None}

    def share(self, processes, seconds):
        """Each of them is a process of `cdse auth token` after the other."""
        self.start_anew(self.SHORT_LIFE)
        self.log_in()
        self.service.forget()
        until, results = time.time() + seconds, []

        def worker():
            calls, errors, first = 0, 0, None
            while time.time() < until:
                header, failed = attempt(self.header)
                if failed is None and not self.service.accepts(header):
                    failed = "a token that the service refuses"
                calls += 1
                if failed:
                    errors += 1
                    first = first or failed
                time.sleep(0.05)
            results.append({"calls": calls, "errors": errors, "first_error": first})

        threads = [threading.Thread(target=worker) for _ in range(processes)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return results

    def cached(self, batches):
        self.service.reset()
        command = [self.library, "cached", str(batches)]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=300, check=True)
        return json.loads(done.stdout)

    def login_503(self):
        self.start_anew()
        self.service.fault(PAGE)
        return outcome(self.service, [lambda: (self.log_in(), self.header())[1]])

    def when_due(self, action):
        self.start_anew(self.DUE_LIFE)
        self.log_in()
        self.header()
        time.sleep(self.DUE_AFTER)
        self.service.fault(action)
        return outcome(self.service, [self.header, self.header])

    def renewal_503(self):
        return self.when_due(PAGE)

    def renewal_lost(self):
        result = self.when_due({"kind": "reset", "processed": True})
        time.sleep(self.DUE_LIFE - self.DUE_AFTER + 1)
        _, error = attempt(self.header)
        return {**result, "when_it_is_over": error or "token"}

    def write_logins(self, times):
        for _ in range(times):
            self.log_in()
            self.cdse("auth", "logout")

    def write_renewals(self, times, ready):
        self.log_in()
        ready()
        for _ in range(times):
            self.cdse("auth", "refresh")

    def logouts(self, times):
        self.start_anew()
        self.write_logins(times)
        left = self.service.counters()["sessions_open"]
        _, error = attempt(self.log_in)
        return {"sessions": left, "next_login": error or "works"}
