"""Holds the document of a server to OpenAPI 3.1, its examples to its schemas, and the first events of its streams to theirs."""

import json
import sys
import urllib.request

import jsonschema_rs
from openapi_spec_validator import validate

LIMIT_S = 20
NAMES = {"{group}": "G", "{session}": "S", "{tenant}": "t", "{namespace}": "n", "{id}": "C"}

server = sys.argv[1]
faults = []


def ask(path, body=None):
    data = body and json.dumps(body).encode()
    request = urllib.request.Request(server + path, data, {"Content-Type": "application/json"})
    return urllib.request.urlopen(request, timeout=LIMIT_S)


def named(path):
    for name, value in NAMES.items():
        path = path.replace(name, value)
    return path


def resolved(part):
    while "$ref" in part:
        target = document
        for name in part["$ref"][2:].split("/"):
            target = target[name]
        part = target
    return part


def hold(what, value, schema):
    whole = {"allOf": [schema], "components": document["components"]}
    for error in jsonschema_rs.Draft202012Validator(whole, validate_formats=True).iter_errors(value):
        faults.append(f"{what}: {error.message} at {error.instance_path}")


def hold_examples(what, content):
    count = 0
    for kind, media in content.items():
        for name, example in media.get("examples", {}).items():
            count += 1
            if kind == "application/json":
                hold(f"{what}, {name}", example["value"], media["schema"])
    return count


def first_event(path):
    event = {}
    with ask(path) as stream:
        for line in stream:
            field, _, value = line.decode().rstrip("\n").partition(": ")
            if field in ("event", "data"):
                event[field] = value
            if len(event) == 2:
                return event


document = json.load(ask("/api/openapi.json"))
validate(document)
for path, methods in document["paths"].items():
    if path.endswith("/groups") and "post" in methods:
        ask(named(path), {"Id": "G", "FailoverTimeout": "00:01:00"})

examples, streams = 0, 0
for path, methods in document["paths"].items():
    for method, operation in methods.items():
        if method == "parameters":
            continue
        what = operation["operationId"]
        examples += hold_examples(what, operation.get("requestBody", {}).get("content", {}))
        for status, said in operation["responses"].items():
            content = resolved(said).get("content", {})
            examples += hold_examples(f"{what} {status}", content)
            if "text/event-stream" in content:
                streams += 1
                event = first_event(named(path))
                schemas = content["text/event-stream"]["schema"]["oneOf"]
                data = {choice["properties"]["event"]["const"]: choice["properties"]["data"] for choice in schemas}
                if event["event"] not in data:
                    faults.append(f"{what} begins with {event}, which is not described")
                else:
                    hold(f"{what}, its first event", json.loads(event["data"]), data[event["event"]]["contentSchema"])

print(f"{examples} examples, {streams} streams")
sys.exit("\n".join(faults) if faults or not examples or not streams else 0)
