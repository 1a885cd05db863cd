#!/usr/bin/env python3
"""A language server: JSON-RPC 2.0 behind Content-Length headers. It warns of TODO in what its client has open."""

import json
import sys

source, sink = sys.stdin.buffer, sys.stdout.buffer


def read():
    length = None
    while line := source.readline():
        name, _, value = line.decode().strip().partition(":")
        if name.lower() == "content-length":
            length = int(value)
        elif not name:
            return json.loads(source.read(length))
    return None


def send(**message):
    body = json.dumps({"jsonrpc": "2.0", **message}).encode()
    sink.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
    sink.flush()


def diagnostics(text):
    for number, line in enumerate(text.splitlines()):
        column = line.find("TODO")
        if column >= 0:
            start, end = ({"line": number, "character": at} for at in (column, column + 4))
            yield {"range": {"start": start, "end": end}, "severity": 2, "message": "still to do"}


has_shut_down = False
while message := read():
    method, number, params = message.get("method"), message.get("id"), message.get("params") or {}
    if method == "initialize":
        print(f"serving {params.get('rootUri')}", file=sys.stderr, flush=True)
        send(id=number, result={"capabilities": {"textDocumentSync": 1}})
    elif method == "textDocument/didOpen":
        document = params["textDocument"]
        found = list(diagnostics(document["text"]))
        send(method="textDocument/publishDiagnostics", params={"uri": document["uri"], "diagnostics": found})
    elif method == "shutdown":
        has_shut_down = True
        send(id=number, result=None)
    elif method == "exit":
        sys.exit(0 if has_shut_down else 1)
    elif number is not None:
        send(id=number, error={"code": -32601, "message": f"there is no method {method!r}"})
