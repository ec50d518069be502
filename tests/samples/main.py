"""Runs `verify.py`, which the page has, on cases."""

import base64
import inspect
import json
import sys

from verify import verify

TAKES_TIME = len(inspect.signature(verify).parameters) == 4


def judge(case):
    given = [case["secret"], case["headers"], base64.b64decode(case["body_base64"])]
    return verify(*given, case["now"]) if TAKES_TIME else verify(*given)


print(json.dumps([judge(case) for case in json.load(sys.stdin)]))
