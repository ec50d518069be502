"""Verifies a ledger of received webhooks with the independent `standardwebhooks` library.

Standard input: one JSON object a line. `{"path", "secret"}` gives a path its secrets (space-separated);
`{"path", "headers", "body" | "body_base64"}` is a request. Paths without a secret are passed over. Prints one line of
JSON: how many requests verified, and how many changed ones were refused; exits with 1 at the first that does not.
"""

import base64
import json
import sys

from standardwebhooks.webhooks import Webhook, WebhookVerificationError


def verifies(secret, body, headers):
    try:
        Webhook(secret).verify(body, headers)
        return True
    except WebhookVerificationError:
        return False
    except json.JSONDecodeError:
        return True  # the signature was right; a raw payload need not be JSON


def main():
    secrets, verified, refused = {}, 0, 0
    for line in sys.stdin:
        item = json.loads(line)
        if "secret" in item:
            secrets[item["path"]] = item["secret"].split()
            continue
        if item["path"] not in secrets:
            continue
        body = base64.b64decode(item["body_base64"]) if "body_base64" in item else item["body"].encode()
        for secret in secrets[item["path"]]:
            if not verifies(secret, body, item["headers"]):
                print(f"does not verify: {item['path']} {item['headers'].get('webhook-id')}", file=sys.stderr)
                return 1
            verified += 1
            if verifies(secret, body + b" ", item["headers"]):
                print(f"a changed body verifies: {item['path']}", file=sys.stderr)
                return 1
            refused += 1
    print(json.dumps({"verified": verified, "refused": refused}))
    return 0


sys.exit(main())
