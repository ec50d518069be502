"""Verifies received webhooks as their receivers would, with libraries that are not ours.

Standard input: one JSON object a line. `{"path", "secret", "verifier"?, "former"?}` gives a path its secrets
(space-separated) and one way to verify with them; several lines for one path are several ways. `{"path", "headers",
"body" | "body_base64"}` is a request; every way of its path must accept it with each secret, and refuse it with a changed
body, with a secret of nobody, and with those in `former`, which are no longer in force. Paths without a secret are passed
over. Prints one line of JSON: how often something verified, how often a changed body was refused, how often another secret
was, and what verified by verifier; exits with 1 at the first that does not.

Verifiers: `standard` (the library standardwebhooks), `svix` (Svix's library), `stripe` (Stripe's library), `outpost`
(its documented rule).
"""

import base64
import hashlib
import hmac
import json
import sys

import stripe
import svix.webhooks
from standardwebhooks.webhooks import Webhook, WebhookVerificationError


def standard(secret, body, headers):
    try:
        Webhook(secret).verify(body, headers)
    except WebhookVerificationError:
        return False
    except json.JSONDecodeError:
        pass  # the signature was right; a raw payload need not be JSON
    return True


def with_svix(secret, body, headers):
    try:
        svix.webhooks.Webhook(secret).verify(body, headers)
    except svix.webhooks.WebhookVerificationError:
        return False
    except json.JSONDecodeError:
        pass
    return True


def with_stripe(secret, body, headers):
    try:
        return stripe.WebhookSignature.verify_header(body.decode(), headers.get("stripe-signature"), secret, 300)
    except stripe.SignatureVerificationError:
        return False


def outpost(secret, body, headers):
    """`v0=` and hexadecimal HMAC-SHA256 of the body; several, separated by commas, while a secret rotates."""
    version, _, signatures = headers.get("x-outpost-signature", "").partition("=")
    expected = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return version == "v0" and any(hmac.compare_digest(expected, one) for one in signatures.split(","))


VERIFIERS = {"standard": standard, "svix": with_svix, "stripe": with_stripe, "outpost": outpost}
# No destination has it: what verifies with it verifies with anything.
STRANGER = "whsec_" + base64.b64encode(b"nobody has this as a key").decode()


def check(name, secret, former, request, body, counts):
    """What is wrong with one request, if anything is; counts what verified and what was refused, as it happens."""
    verifies = VERIFIERS[name]
    where = f"{name} at {request['path']}: {json.dumps(request['headers'])}"
    if not verifies(secret, body, request["headers"]):
        return f"does not verify with {where}"
    counts["verified"] += 1
    if verifies(secret, body + b" ", request["headers"]):
        return f"a changed body verifies with {where}"
    counts["refused_bodies"] += 1
    for other in [STRANGER, *former]:
        if verifies(other, body, request["headers"]):
            return f"another secret verifies with {where}"
        counts["refused_secrets"] += 1
    return None


def main():
    ways, by_verifier = {}, dict.fromkeys(VERIFIERS, 0)
    counts = {"verified": 0, "refused_bodies": 0, "refused_secrets": 0}
    for line in sys.stdin:
        item = json.loads(line)
        if "secret" in item:
            name, former = item.get("verifier", "standard"), item.get("former", "").split()
            ways.setdefault(item["path"], []).extend((name, secret, former) for secret in item["secret"].split())
            continue
        body = base64.b64decode(item["body_base64"]) if "body_base64" in item else item.get("body", "").encode()
        for name, secret, former in ways.get(item["path"], []):
            wrong = check(name, secret, former, item, body, counts)
            if wrong:
                print(wrong, file=sys.stderr)
                return 1
            by_verifier[name] += 1
    print(json.dumps(counts | {"by_verifier": by_verifier}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
