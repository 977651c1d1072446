"""The service for a client that verifies signatures: the same answers, with access tokens that are signed, and the key.

The embedded service's signatures are random. This runs in the environment of the peer that needs it, prints where it
listens, and ends with its input.
"""
import base64
import http.server
import json
import sys
import threading

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from service import Service

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
WELL_KNOWN, KEYS = "/.well-known/openid-configuration", "/protocol/openid-connect/certs"
DROPPED = ("content-length", "transfer-encoding", "connection", "date")


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value):
    return base64url(value.to_bytes((value.bit_length() + 7) // 8, "big"))


class Front(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    real = {}

    def sign(self, token):
        """The token with a header and a signature that can be verified; the service's own is found again by it."""
        header = base64url(b'{"alg":"RS256","typ":"JWT","kid":"front"}')
        signed = f"{header}.{token.split('.')[1]}"
        signature = KEY.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        signed = f"{signed}.{base64url(signature)}"
        self.real[signed] = token
        return signed

    def without_signature(self, text, separator="="):
        """The same, with the service's own token in place of the signed one behind the separator."""
        name, found, token = text.partition(separator)
        return name + found + self.real.get(token, token)

    def answer(self):
        length = int(self.headers.get("content-length") or 0)
        # A form that has a token, to have it revoked.
        body = "&".join(map(self.without_signature, self.rfile.read(length).decode().split("&"))) or None
        headers = {name: value for name, value in self.headers.items() if name.lower() in ("content-type", "authorization")}
        if "Authorization" in headers:
            headers["Authorization"] = self.without_signature(headers["Authorization"], " ")
        if self.path.endswith(KEYS):
            public = KEY.public_key().public_numbers()
            key = {"kid": "front", "kty": "RSA", "alg": "RS256", "use": "sig", "n": number(public.n), "e": number(public.e)}
            return self.give(200, "application/json", json.dumps({"keys": [key]}).encode())
        try:
            status, content = SERVICE.ask(self.command, SERVICE.origin + self.path, body, headers)
        except OSError:
            self.close_connection = True
            return self.connection.close()
        kind = "text/html"
        try:
            known = json.loads(content)
            kind = "application/json"
            if "access_token" in known:
                known["access_token"] = self.sign(known["access_token"])
            if self.path.endswith(WELL_KNOWN):
                issuer = f"{ORIGIN}/auth/realms/CDSE"
                known["token_endpoint"] = f"{issuer}/protocol/openid-connect/token"
                known["jwks_uri"] = issuer + KEYS
                known.setdefault("id_token_signing_alg_values_supported", ["RS256"])
            content = json.dumps(known).encode()
        except ValueError:
            pass
        self.give(status, kind, content)

    def give(self, status, kind, content):
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_GET = do_HEAD = do_POST = answer

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 256
    daemon_threads = True

    def handle_error(self, *_):
        """A client that left."""


SERVICE = Service(sys.argv[1])
server = Server(("127.0.0.1", 0), Front)
ORIGIN = f"http://127.0.0.1:{server.server_address[1]}"
threading.Thread(target=server.serve_forever, daemon=True).start()
print(ORIGIN, flush=True)
sys.stdin.read()
