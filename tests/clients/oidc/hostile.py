"""An OpenID provider that lies when told to.

Left alone it is a plain one: discovery, keys, authorization code with PKCE, one client, and whoever comes is logged in as
`claims` say. Each lie is one attribute that a test replaces. It signs by hand, because no library would sign some of these.
"""

import base64
import hashlib
import hmac
import http.server
import json
import secrets
import threading
import time
import urllib.parse

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa


def b64(data):
    data = data if isinstance(data, bytes) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Key:
    """An RSA key with its name."""

    def __init__(self, kid):
        self.kid, self.private = kid, rsa.generate_private_key(65537, 2048)

    def public(self):
        numbers = self.private.public_key().public_numbers()
        number = lambda value: b64(value.to_bytes((value.bit_length() + 7) // 8, "big"))
        return {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": self.kid, "n": number(numbers.n), "e": number(numbers.e)}

    def pem(self):
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        return self.private.public_key().public_bytes(serialization.Encoding.PEM, form)

    def sign(self, claims, **header):
        header = {"alg": "RS256", "typ": "JWT", "kid": self.kid} | header
        header = {name: value for name, value in header.items() if value is not None}
        text = f"{b64(header)}.{b64(claims)}"
        signature = self.private.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{text}.{b64(signature)}"


def sign_with_secret(secret, claims, **header):
    """HS256: with a key that more than one knows."""
    text = f"{b64({'alg': 'HS256', 'typ': 'JWT'} | header)}.{b64(claims)}"
    return f"{text}.{b64(hmac.digest(secret, text.encode(), 'sha256'))}"


class Provider:
    def __init__(self, client_id, client_secret):
        self.client_id, self.client_secret = client_id, client_secret
        self.key, self.unknown_key = Key("one"), Key("one")
        self.secrets = []  # what must not be found in any log
        self.asked = []  # (path, parameters) of each request
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                outer.serve(self, "")

            def do_POST(self):
                outer.serve(self, self.rfile.read(int(self.headers.get("content-length") or 0)).decode())

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.issuer = f"http://127.0.0.1:{self.server.server_port}"
        self.codes, self.closed = {}, False
        self.be_honest()
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.closed = True
        self.server.shutdown()
        self.server.server_close()

    def be_honest(self):
        """Takes every lie back."""
        self.keys = [self.key]
        self.claims = {"sub": "s-li_ming", "preferred_username": "li_ming", "groups": ["crm-analysts"]}
        self.token = self.key.sign  # claims → identity token
        self.token_answer = None  # (status, content type, body, headers) instead of tokens
        self.callback = {}  # parameters of the callback to change; None leaves one out
        self.discovery = {}  # members of the discovery document to change

    def discovery_document(self):
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic"],
            "authorization_response_iss_parameter_supported": True,
        } | self.discovery

    def serve(self, request, body):
        if self.closed:  # a connection that was kept
            request.close_connection = True
            return None
        path, _, query = request.path.partition("?")
        parameters = dict(urllib.parse.parse_qsl(body or query, keep_blank_values=True))
        self.asked.append((path, parameters))
        if path == "/.well-known/openid-configuration":
            return self.answer(request, 200, self.discovery_document())
        if path == "/keys":
            return self.answer(request, 200, {"keys": [key.public() for key in self.keys]})
        if path == "/authorize":
            return self.authorize(request, parameters)
        if path == "/token" and body:
            return self.tokens(request, parameters)
        return self.answer(request, 404, {"error": "not_found"})

    def authorize(self, request, asked):
        code = secrets.token_urlsafe(24)
        self.codes[code] = asked
        self.secrets += [code, asked["state"], asked["nonce"]]
        answer = {"code": code, "state": asked["state"], "iss": self.issuer} | self.callback
        query = urllib.parse.urlencode({name: value for name, value in answer.items() if value is not None})
        return self.answer(request, 303, {}, {"location": f"{asked['redirect_uri']}?{query}"})

    def tokens(self, request, sent):
        if self.token_answer:
            status, content_type, body, headers = self.token_answer
            return self.answer(request, status, body, headers, content_type)
        asked = self.codes.pop(sent.get("code"), None)
        self.secrets.append(sent.get("code_verifier"))
        challenge = b64(hashlib.sha256(sent.get("code_verifier", "").encode()).digest())
        quote = lambda text: urllib.parse.quote(text, safe="")
        basic = base64.b64encode(f"{quote(self.client_id)}:{quote(self.client_secret)}".encode()).decode()
        if request.headers.get("authorization") != f"Basic {basic}":
            return self.answer(request, 401, {"error": "invalid_client"})
        if not asked or asked["code_challenge"] != challenge or asked["redirect_uri"] != sent.get("redirect_uri"):
            return self.answer(request, 400, {"error": "invalid_grant"})
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": self.client_id, "iat": now, "exp": now + 300, "nonce": asked["nonce"]}
        token = self.token(claims | self.claims)
        access = secrets.token_urlsafe(24)
        self.secrets += [access, token or access]
        answer = {"access_token": access, "token_type": "Bearer", "expires_in": 300, "id_token": token}
        return self.answer(request, 200, {name: value for name, value in answer.items() if value is not None})

    @staticmethod
    def answer(request, status, body, headers=None, content_type="application/json"):
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        request.send_response(status)
        headers = {"content-type": content_type, "content-length": str(len(body)), "cache-control": "no-store"} | (headers or {})
        for name, value in headers.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(body)
