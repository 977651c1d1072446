"""What is measured of a Python peer, inside its own environment: `python steps.py PEER STEP JSON` prints one JSON object.

What is the same for all peers is here; how one of them is driven is in its adapter, `peer_NAME.py`.
"""
import importlib
import json
import os
import sys
import threading
import time

from service import FOR_EVER, PAGE, Service

# How long the service takes for a token, and holds back a refusal, so that all tasks are refused before one of them
# learns of a new token.
TOKEN_TAKES, REFUSAL_TAKES = 0.1, 1.0


def why(error):
    return f"{type(error).__name__}: {str(error)[:120]}"


def attempt(call):
    """What came of a call, and whether it was a header."""
    try:
        return call(), None
    except Exception as error:
        return None, why(error)


def refusal(peer, service, tasks):
    """Some tasks hold one token, which the service refuses."""
    service.reset()
    peer.log_in()
    service.revoke(peer.header().split()[1])
    peer.before_refusal()
    service.fault({"kind": "delay", "milliseconds": int(TOKEN_TAKES * 1000)}, times=FOR_EVER)
    if peer.RETRIES_AT_ONCE:
        service.fault({"kind": "delay_answer", "milliseconds": int(REFUSAL_TAKES * 1000)}, "resource", tasks)
    service.forget()
    start = time.monotonic()
    served, error = peer.fetch_all(tasks)
    seconds = time.monotonic() - start - (REFUSAL_TAKES if peer.RETRIES_AT_ONCE else 0)
    counted = service.counters()
    service.no_faults()
    if counted["resource_refused"] < tasks:
        raise RuntimeError(f"only {counted['resource_refused']} of {tasks} tasks were refused")
    return {"requests": counted["token_requests"], "served": served, "seconds": seconds, "error": error}


def share(peer, service):
    """One of several processes that share a login, until the moment that it is told once all of them are there."""
    calls, errors, first = 0, 0, None
    _, error = attempt(peer.resume)
    print("ready", flush=True)
    until = float(sys.stdin.readline())
    while error is None and time.time() < until:
        header, failed = attempt(peer.header)
        if failed is None and not service.accepts(header):
            failed = "a token that the service refuses"
        calls += 1
        if failed:
            errors += 1
            first = first or failed
        time.sleep(0.05)
    if error:
        calls, errors, first = 1, 1, error
    return {"calls": calls, "errors": errors, "first_error": first}


def cached(peer, service, batches):
    """CPU time of a call that finds a fresh token, in ns."""
    service.reset()
    peer.log_in()
    call = peer.cached()
    call()
    start, calls = time.thread_time_ns(), 0
    while time.thread_time_ns() - start < 20_000_000:
        call()
        calls += 1
    took = []
    for _ in range(batches):
        start = time.thread_time_ns()
        for _ in range(calls):
            call()
        took.append((time.thread_time_ns() - start) / calls)
    took.sort()
    return {"least": took[0], "median": took[len(took) // 2]}


def outcome(service, calls):
    """What some calls came to, one after the other, and what the service saw of them."""
    service.forget()
    told = []
    for call in calls:
        header, error = attempt(call)
        told.append(error or ("token" if service.accepts(header) else "a token that the service refuses"))
    counted = service.counters()
    return {
        "calls": told,
        "requests": counted["token_requests"],
        "logins": counted["logins_ok"],
        "reuse": counted["reuse_detected"],
        "sessions": counted["sessions_open"],
    }


def login_503(peer, service):
    service.reset()
    service.fault(PAGE)
    return outcome(service, [lambda: (peer.log_in(), peer.header())[1]])


def when_due(peer, service, action):
    """The next renewal meets this; its token is still good then."""
    service.reset(int(peer.LEEWAY) + 2)
    peer.log_in()
    peer.header()
    time.sleep(3)
    service.fault(action)
    return outcome(service, [peer.header, peer.header])


def renewal_503(peer, service):
    return when_due(peer, service, PAGE)


def renewal_lost(peer, service):
    """The service renews, and the connection breaks before its answer."""
    return when_due(peer, service, {"kind": "reset", "processed": True})


def write_logins(peer, service, times):
    for _ in range(times):
        peer.log_in(stored=True)
        peer.log_out()
    return {}


def write_renewals(peer, service, times):
    peer.log_in(stored=True)
    open(os.environ["PEERS_READY"], "w").close()
    for _ in range(times):
        peer.renew()
    return {}


def logouts(peer, service, times):
    service.reset()
    for _ in range(times):
        peer.log_in()
        peer.log_out()
    left = service.counters()["sessions_open"]
    _, error = attempt(peer.log_in)
    return {"sessions": left, "next_login": error or "works"}


def log_in(peer, service):
    peer.log_in(stored=True)
    return {}


def leeway(peer, service):
    return {"leeway": int(peer.LEEWAY)}


def version(peer, service):
    return {"version": peer.version()}


def main():
    name, step, arguments = sys.argv[1:]
    service = Service(os.environ["PEERS_SERVICE"], os.environ["PEERS_FRONT"])
    peer = importlib.import_module(f"peer_{name}").Peer(os.environ["PEERS_FRONT"])
    print(json.dumps(globals()[step](peer, service, **json.loads(arguments))))


class Driven:
    """What an adapter has, unless it says otherwise."""

    # Seconds before its end from which the peer takes a token for expired.
    LEEWAY = 0
    # Whether a refused request is sent again at once, with a new token.
    RETRIES_AT_ONCE = True

    def before_refusal(self):
        pass

    def fetch_all(self, tasks):
        """How many of the tasks got the protected resource, and the first error."""
        served, errors, barrier = [], [], threading.Barrier(tasks)

        def task():
            barrier.wait()
            done, error = attempt(self.fetch)
            (served if done else errors).append(error)

        threads = [threading.Thread(target=task) for _ in range(tasks)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return len(served), errors[0] if errors else None

    def cached(self):
        return self.header

    def log_out(self):
        """Nothing, where the peer has none."""


if __name__ == "__main__":
    sys.modules["steps"] = sys.modules[__name__]
    main()
