#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The OpenAPI document by itself, and against what the program knows of it.

Document: a reader of one document, with validators for what it describes.
main(): openapi_rules.py DOCUMENT META_SCHEMA HELPER_API prints each fault and
exits 1. META_SCHEMA is that of the OpenAPI Initiative for 3.1; the schemas in
the document are held against JSON Schema 2020-12 besides.
"""
import json
import re
import subprocess
import sys

from jsonschema import Draft202012Validator

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")


class Document:
    def __init__(self, path):
        with open(path, encoding="utf-8") as file:
            self.root = json.load(file, object_pairs_hook=self.once)
        self.validators = {}

    @staticmethod
    def once(pairs):
        """A member that stands twice would hide one of the two."""
        found = dict(pairs)
        if len(found) != len(pairs):
            raise ValueError("a member twice: %s" % [k for k, _ in pairs])
        return found

    def get(self, node):
        """What a reference object refers to, or the object itself."""
        while isinstance(node, dict) and "$ref" in node:
            place = self.root
            for part in node["$ref"].removeprefix("#/").split("/"):
                place = place[part.replace("~1", "/").replace("~0", "~")]
            node = place
        return node

    def operations(self):
        for path, item in self.root["paths"].items():
            for method in METHODS:
                if method in item:
                    yield path, method, item[method]

    def faults(self, schema, value):
        """How a value differs from a schema of the document."""
        key = json.dumps(schema, sort_keys=True)
        if key not in self.validators:
            self.validators[key] = Draft202012Validator(
                dict(schema, components=self.root["components"]))
        return ["%s: %s" % (error.json_path, error.message[:300])
                for error in self.validators[key].iter_errors(value)]


class Rules:
    def __init__(self, document, api):
        self.document, self.api, self.found = document, api, []

    def fault(self, where, what):
        self.found.append("%s: %s" % (where, what))

    def text(self, where, node, *names):
        for name in names:
            if not str(node.get(name, "")).strip():
                self.fault(where, "no " + name)

    def schema(self, where, schema, described=True):
        """Closed, described, and a good schema; and those in it."""
        if "$ref" in schema:
            try:
                self.document.get(schema)
            except KeyError:
                self.fault(where, "refers to nothing: " + schema["$ref"])
            return
        if described:
            self.text(where, schema, "description")
        if schema.get("type") == "object" or "properties" in schema:
            self.closed(where, schema)
        for name, one in schema.get("properties", {}).items():
            if isinstance(one, dict):
                self.schema(where + "." + name, one)
        for word in ("items", "additionalProperties"):
            if isinstance(schema.get(word), dict):
                self.schema(where + "/" + word, schema[word],
                            word == "items" and False)
        for word in ("anyOf", "allOf"):
            for one in schema.get(word, []):
                self.schema(where + "/" + word, one, False)

    def closed(self, where, schema):
        more = schema.get("additionalProperties")
        if more is not False and "propertyNames" not in schema:
            self.fault(where, "is open: it may have other members")
        if more is False and "propertyNames" in schema:
            self.fault(where, "names members and takes none")
        for name in schema.get("required", []):
            if name not in schema.get("properties", [name]):
                self.fault(where, "requires what it does not have: " + name)

    def examples(self, where, media):
        found = [one["value"] for one in media.get("examples", {}).values()]
        if "example" in media:
            found.append(media["example"])
        for value in found:
            for fault in self.document.faults(media["schema"], value):
                self.fault(where + " example", fault)
        return found

    def response(self, where, status, response):
        self.text(where, response, "description")
        for name, header in response.get("headers", {}).items():
            header = self.document.get(header)
            self.text(where + " " + name, header, "description")
        for mime, media in response.get("content", {}).items():
            here = where + " " + mime
            self.schema(here, media["schema"], False)
            found = self.examples(here, media)
            if not found and mime.endswith("json") and "/openapi" not in where:
                self.fault(here, "no example")
            if (mime == "application/problem+json") != (status >= "400"):
                if not mime.startswith("text/"):
                    self.fault(here, "only errors are problems")
            for value in found if mime.endswith("problem+json") else []:
                self.problem(here, status, value)

    def problem(self, where, status, value):
        """The example is of a kind that the program has, in its words."""
        name = value["type"].removeprefix(self.api["problem_type"])
        for kind in self.api["problems"]:
            if kind["name"] == name:
                if (kind["title"], kind["status"]) != (value["title"],
                                                       value["status"]):
                    self.fault(where, "is not the kind " + name)
                if str(kind["status"]) != status:
                    self.fault(where, "stands under another status")
                return
        self.fault(where, "no such kind: " + name)

    def operation(self, path, method, operation):
        where = method + " " + path
        self.text(where, operation, "operationId", "summary", "description",
                  "tags", "security")
        for parameter in operation.get("parameters", []):
            self.text(where, self.document.get(parameter), "name", "in",
                      "description", "schema")
        body = operation.get("requestBody")
        if (method == "post") != (body is not None):
            self.fault(where, "bodies are of POST, and POST has one")
        for mime, media in (body or {}).get("content", {}).items():
            if mime != "application/json":
                self.fault(where, "takes JSON alone")
            if not self.examples(where, media):
                self.fault(where, "its body has no example")
        for status, response in operation["responses"].items():
            self.response("%s %s" % (where, status), status,
                          self.document.get(response))

    def routes(self):
        """The document has the program's routes and, of others, the files."""
        listed = {}
        for path, method, operation in self.document.operations():
            listed[method.upper(), path] = operation
        for route in self.api["routes"]:
            name = route["method"], route["path"]
            operation = listed.pop(name, None)
            if operation is None:
                self.fault("%s %s" % name, "is not in the document")
                continue
            if operation["security"] != [{"bearerToken": []},
                                         {"clientCertificate":
                                          [route["role"]]}, {}]:
                self.fault("%s %s" % name, "security is another")
        for path in ("/", "/{file}"):
            if listed.pop(("GET", path), None) is None:
                self.fault(path, "is not in the document")
        for name in listed:
            self.fault("%s %s" % name, "the program has no such route")

    def names(self):
        schemas = self.document.root["components"]["schemas"]
        for name, values in self.api.items():
            if name[0].isupper() and schemas[name]["enum"] != values:
                self.fault(name, "the program has " + ", ".join(values))
        kinds = [self.api["problem_type"] + kind["name"]
                 for kind in self.api["problems"]]
        if schemas["ProblemType"]["enum"] != kinds:
            self.fault("ProblemType", "the program has " + ", ".join(kinds))
        if self.document.root["info"]["version"] != self.api["version"]:
            self.fault("info.version", "the program's is another")

    def used(self):
        """Nothing lies in the components that nobody refers to."""
        text = json.dumps(self.document.root)
        for kind, some in self.document.root["components"].items():
            for name in some:
                if kind == "securitySchemes":
                    continue
                if '"#/components/%s/%s"' % (kind, name) not in text and \
                        name not in ("MethodNotAllowed", "NotFound"):
                    self.fault("components/%s/%s" % (kind, name), "is unused")

    def kinds(self):
        """Each kind of problem is an example of some answer."""
        text = json.dumps(self.document.root["paths"]) + \
            json.dumps(self.document.root["components"]["responses"])
        for kind in self.api["problems"]:
            if '"type": "%s%s"' % (self.api["problem_type"],
                                   kind["name"]) not in text:
                self.fault(kind["name"], "is no answer of the document")

    def all(self):
        root = self.document.root
        for name, schema in root["components"]["schemas"].items():
            Draft202012Validator.check_schema(schema)
            self.schema(name, schema)
        if not re.match(r"3\.1\.\d+$", root["openapi"]):
            self.fault("openapi", "it is not OpenAPI 3.1")
        for path, method, operation in self.document.operations():
            self.operation(path, method, operation)
        for name, response in root["components"]["responses"].items():
            examples = response["content"]["application/problem+json"]
            for value in self.examples(name, examples):
                self.problem(name, str(value["status"]), value)
        ids = [one["operationId"] for _, _, one in self.document.operations()]
        if len(set(ids)) != len(ids):
            self.fault("operationId", "one stands twice")
        for rule in (self.routes, self.names, self.used, self.kinds):
            rule()
        return self.found


def meta_faults(document, path):
    with open(path, encoding="utf-8") as file:
        meta = json.load(file)
    validator = Draft202012Validator(meta)
    return ["%s: %s" % (error.json_path, error.message[:300])
            for error in validator.iter_errors(document.root)]


def main():
    document = Document(sys.argv[1])
    api = json.loads(subprocess.check_output([sys.argv[3]]))
    found = meta_faults(document, sys.argv[2]) + Rules(document, api).all()
    for fault in found:
        print(fault)
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
