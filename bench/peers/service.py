"""The embedded service as its users and its keeper see it: what it counted, how it shall misbehave, what it gives."""
import http.client
import json
import urllib.parse

USER, PASSWORD = "user@example.com", "s3cret!"
FOR_EVER = 4294967295
PAGE = {
    "kind": "answer",
    "status": 503,
    "headers": [["content-type", "text/html"]],
    "body": "<html><body><h1>503</h1></body></html>\n",
}


class Service:
    def __init__(self, origin, front=None):
        """`front` is where its users find it, if that is not where its keeper does."""
        self.origin = origin
        self.realm = f"{front or origin}/auth/realms/CDSE"
        self.resource = f"{front or origin}/odata/v1/Products(1)/$value"

    def ask(self, method, url, body=None, headers=None):
        parts = urllib.parse.urlsplit(url)
        connection = http.client.HTTPConnection(parts.netloc, timeout=60)
        try:
            connection.request(method, parts.path, body=body, headers=headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def _control(self, method, what, body=None):
        status, answer = self.ask(method, f"{self.origin}/sandbox/{what}", None if body is None else json.dumps(body))
        if status not in (200, 204):
            raise RuntimeError(f"{method} {what}: {status} {answer!r}")
        return json.loads(answer) if answer else None

    def counters(self):
        return self._control("GET", "counters")

    def reset(self, lifetime=600):
        """No session, no fault, nothing counted; access tokens of this life from now on."""
        self._control("DELETE", "faults")
        self._control("DELETE", "sessions")
        self._control("DELETE", "requests")
        self._control("POST", "lifetimes", {"access": lifetime})

    def forget(self):
        """Nothing counted so far."""
        self._control("DELETE", "requests")

    def forget_sessions(self):
        self._control("DELETE", "sessions")

    def fault(self, action, endpoint="token", times=1):
        self._control("POST", "faults", {"endpoint": endpoint, "times": times, "action": action})

    def no_faults(self):
        self._control("DELETE", "faults")

    def accepts(self, header):
        """Whether the bearer of this header is given the protected resource."""
        return self.ask("GET", self.resource, headers={"Authorization": header})[0] == 200

    def revoke(self, token):
        """The service accepts the token no longer; the session stays."""
        form = urllib.parse.urlencode({"client_id": "cdse-public", "token": token, "token_type_hint": "access_token"})
        headers = {"content-type": "application/x-www-form-urlencoded"}
        status, answer = self.ask("POST", f"{self.realm}/protocol/openid-connect/revoke", form, headers)
        if status != 200:
            raise RuntimeError(f"the token was not revoked: {status} {answer!r}")
