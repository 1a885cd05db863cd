#!/usr/bin/env python3
"""A server over standard input and output: a JSON-RPC 2.0 message per line, as MCP servers speak it."""

import json
import sys

TOOLS = [{"name": "add", "description": "Adds numbers.", "inputSchema": {"type": "object"}}]


def answer(method, params):
    if method == "ping":
        return {}
    if method == "tools/list":
        return {"tools": TOOLS}
    if method == "tools/call" and params.get("name") == "add":
        return {"content": [{"type": "text", "text": str(sum(params.get("arguments", {}).get("numbers", [])))}]}
    raise LookupError(f"there is no method {method!r}")


print("ready", file=sys.stderr, flush=True)
for line in sys.stdin:
    reply = {"jsonrpc": "2.0", "id": None}
    try:
        request = json.loads(line)
        reply["id"] = request.get("id")
        reply["result"] = answer(request.get("method"), request.get("params", {}))
    except (ValueError, AttributeError, LookupError) as problem:
        reply["error"] = {"code": -32600, "message": str(problem)}
    if reply["id"] is not None or "error" in reply:
        print(json.dumps(reply), flush=True)
