"""Clouds whose resources live in the sandbox's store: everything that is the same for all of them."""

import secrets
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar

from portway.sandbox.providers import autonames, checking, differences, objects, readiness
from portway.sandbox.providers import type_facts as facts
from portway.sandbox.providers.behaviour import Behaviour, Deployed
from portway.sandbox.providers.cloud import (
    Cloud,
    CloudError,
    Code,
    Failure,
    InitFailed,
    Request,
    State,
)
from portway.sandbox.providers.schema import ResourceType, Sdk, UnknownType
from portway.sandbox.providers.wire import UNKNOWN, Json, has_unknown
from portway.sandbox.store import AlreadyExists, Key, Row, Store


class StoredCloud(Cloud):
    """A cloud described by its SDK, its table of type facts and its behaviours."""

    table: ClassVar[str]
    lower_names: ClassVar[bool] = False
    behaviours: ClassVar[Mapping[str, Behaviour]] = {}

    def __init__(self, store: Store, root: Path) -> None:
        """``root`` is the sandbox's folder: files handed to resources are kept beneath it."""
        super().__init__(store)
        self.root = root
        self.sdk = Sdk(self.package)
        self.facts = facts.load(self.table)

    # what a cloud must say about itself

    def scope(self, type_token: str, inputs: Json) -> str:
        """Where names of that type collide: a project, or ``account:region``.

        When a resource is looked up and its inputs are not known, ``inputs`` holds its id as ``__id``.
        """
        raise NotImplementedError

    def ambient(self, declared: ResourceType, inputs: Json) -> Json:
        """Outputs that follow from the provider's configuration: known in previews already."""
        del declared, inputs
        return {}

    def values(self, type_token: str, inputs: Json) -> Json:
        """What templates may use beside the inputs themselves: project, region, account."""
        raise NotImplementedError

    def defaults(self, declared: ResourceType, inputs: Json) -> Json:
        """Inputs that the provider fills in before anything is checked."""
        del declared
        return inputs

    def other_facts(self, declared: ResourceType) -> facts.TypeFacts:
        """Facts about a type that the table does not know."""
        raise NotImplementedError

    def taken(self, deployed: Deployed, text: str) -> CloudError:
        """The cloud's error for a name that is taken; ``text`` is the table's, filled."""
        del deployed
        return CloudError(Code.ALREADY_EXISTS, text)

    def missing(self, request: Request) -> CloudError:
        """The cloud's error for a resource that should be there and is not."""
        return CloudError(Code.NOT_FOUND, f"{request.type} {request.id} was not found")

    def unready(self, deployed: Deployed, problem: str, *, timed_out: bool = False) -> str:
        """The cloud's sentence for a resource that exists and does not work."""
        del deployed, timed_out
        return problem

    def accepts_id(self, key: Key, given: str) -> bool:
        """Whether ``given`` (from an import or a lookup) is another spelling of ``key``'s id."""
        return key.id == given

    # the seam

    def check(self, request: Request) -> tuple[Json, list[Failure]]:
        """Unknown types and properties, missing and wrongly shaped ones, and the provider's own rules."""
        try:
            declared = self.sdk.resource(request.type)
        except UnknownType as error:
            return request.inputs, [Failure("", checking.unknown_type(error))]
        filled = replace(request, inputs=self.defaults(declared, request.inputs))
        field = self._name_field(declared)
        inputs = autonames.fill(filled, field, lower=self.lower_names) if field else filled.inputs
        failures = checking.check(declared.inputs, inputs)
        validate = self._behaviour(request).validate
        if validate and not failures:
            failures = validate(inputs)
        return inputs, failures

    def diff(self, request: Request) -> differences.Difference:
        """Compare, mark what forces a replacement, and whether both could not exist at once."""
        found = differences.compare(
            request.old_inputs,
            request.inputs,
            replaces=facts.replaces(self.package, self.sdk.resource(request.type)),
            ignore=request.ignore_changes,
        )
        return replace(found, delete_first=bool(found.replacing) and self._collides(request))

    def preview(self, request: Request) -> Json:
        """Inputs, what follows from the configuration, and unknown for everything else."""
        declared = self.sdk.resource(request.type)
        known = request.old_outputs if request.id and not has_unknown(request.inputs) else {}
        computed = declared.outputs - declared.inputs.keys()
        given = self.facts.get(request.type, facts.TypeFacts())
        promised = dict.fromkeys((*computed, *given.outputs), UNKNOWN)
        changing = {"latestReadyRevision", "latestCreatedRevision", "etag", "lastModified"}
        kept = {name: known[name] for name in promised if name in known and name not in changing}
        ambient = self.ambient(declared, request.inputs)
        return {**promised, **kept, **given.defaults, **ambient, **request.inputs}

    def create(self, request: Request) -> State:
        """Admit, store, keep the payload, and wait for whoever serves it."""
        key = self.key(request.type, self.identify(request), request.inputs)
        deployed = Deployed(request, key)
        self._admit(deployed)
        outputs = self._outputs(deployed, {})
        try:
            self.store.create(Row(key, request.urn, self._plain(request.inputs), outputs))
        except AlreadyExists:
            text = facts.fill(self._facts(request.type).exists, self._values(deployed), "")
            raise self.taken(deployed, str(text)) from None
        return self._served(deployed, State(key.id, request.inputs, outputs))

    def update(self, request: Request) -> State:
        """Admit, store, and wait for whoever serves it."""
        row = self._find(request)
        if row is None:
            raise self.missing(request)
        deployed = Deployed(request, row.key, row)
        self._admit(deployed)
        outputs = self._outputs(deployed, row.outputs)
        self.store.update(row.key, self._plain(request.inputs), outputs)
        return self._served(deployed, State(request.id, request.inputs, outputs))

    def read(self, request: Request) -> State | None:
        """The row with that id, in the scope that its inputs or the configuration say."""
        row = self._find(request)
        return State(row.key.id, row.inputs, row.outputs) if row else None

    def delete(self, request: Request) -> None:
        """Forget the row, if the cloud lets it go and the provider asks for it."""
        row = self._find(request)
        if row is None:
            return
        behaviour = self._behaviour(request)
        if behaviour.stays and behaviour.stays(row):
            return
        if behaviour.release:
            behaviour.release(self, row, request)
        self.store.delete(row.key)

    def secret_outputs(self, type_token: str) -> frozenset[str]:
        """What the SDK declares secret."""
        return self.sdk.resource(type_token).secrets

    def unknown_settings(self, config: Json) -> list[Failure]:
        """Provider settings that the SDK does not have, or has otherwise."""
        extras = {"version", "pluginDownloadURL", "pluginChecksums"}
        given = {name: value for name, value in config.items() if name not in extras}
        return checking.check(self.sdk.provider(), given)

    # for rules and behaviours

    def key(self, type_token: str, id_: str, inputs: Json) -> Key:
        """The store's key for an id of that type, in the scope of ``inputs``."""
        return Key(self.package, self.scope(type_token, inputs), type_token, id_)

    def rows(self, type_token: str, scope: str) -> list[Row]:
        """Every resource of a type in a scope."""
        found = self.store.all(cloud=self.package, type=type_token)
        return [row for row in found if row.key.scope == scope]

    def identify(self, request: Request) -> str:
        """The id that the cloud gives; made up where it does not follow from the inputs."""
        behaviour = self._behaviour(request)
        if behaviour.identify:
            return behaviour.identify(self, request.inputs)
        known = self._identity(request.type, request.inputs)
        return known or f"{request.name}-{secrets.token_hex(8)}"

    def endpoint(self, key: Key) -> str:
        """The loopback address where the data plane serves ``key``."""
        return f"http://127.0.0.1:{self.store.port(str(key))}"

    # the rest is nobody else's business

    def _behaviour(self, request: Request) -> Behaviour:
        return self.behaviours.get(request.type, Behaviour())

    def _facts(self, type_token: str) -> facts.TypeFacts:
        known = self.facts.get(type_token)
        return known or self.other_facts(self.sdk.resource(type_token))

    def _name_field(self, declared: ResourceType) -> str:
        named = self._facts(declared.token).name
        if named is not None:
            return named
        given = declared.inputs.get("name")
        member = "Iam" in declared.token or "IAM" in declared.token
        return "name" if given and not given.required and not member else ""

    def _identity(self, type_token: str, inputs: Json) -> str:
        """The id as far as it follows from the inputs; "" when it does not."""
        template = self._facts(type_token).id
        values = {**inputs, **self.values(type_token, inputs)}
        needed = [values.get(name) for name in facts.holes(template)]
        if not template or not needed or any(v is None or v == UNKNOWN for v in needed):
            return ""
        return str(facts.fill(template, values, ""))

    def _collides(self, request: Request) -> bool:
        field = self._name_field(self.sdk.resource(request.type))
        if field and autonames.generated(request.name, request.inputs.get(field)):
            return False
        if has_unknown(request.inputs) or not self._facts(request.type).id:
            return False
        old, new = request.old_inputs, request.inputs
        same = self._identity(request.type, old) == self._identity(request.type, new) != ""
        return same and self.scope(request.type, old) == self.scope(request.type, new)

    def _admit(self, deployed: Deployed) -> None:
        behaviour = self._behaviour(deployed.request)
        if behaviour.admit:
            behaviour.admit(self, deployed)
        if behaviour.served_seconds:
            readiness.require_data_plane(self)

    def _values(self, deployed: Deployed) -> Json:
        inputs = deployed.inputs
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        known = {"id": deployed.key.id, "now": now, "created": now}
        if deployed.before:
            known["created"] = deployed.before.outputs.get("__created", now)
        return {**inputs, **self.values(deployed.request.type, inputs), **known}

    def _outputs(self, deployed: Deployed, before: Json) -> Json:
        given, values = self._facts(deployed.request.type), self._values(deployed)
        seed = str(before.get("__seed") or secrets.token_hex(8))
        templated: Json = facts.fill(given.outputs, values, seed)
        ambient = self.ambient(self.sdk.resource(deployed.request.type), deployed.inputs)
        outputs = {**given.defaults, **ambient, **self._plain(deployed.inputs), **templated}
        outputs |= {"__seed": seed, "__created": values["created"]}
        behaviour = self._behaviour(deployed.request)
        for field in behaviour.payload:
            digest = objects.keep(self.root, deployed.inputs.get(field))
            if digest:
                outputs["__object"] = digest
        if behaviour.outputs:
            outputs |= behaviour.outputs(self, deployed, outputs)
        return outputs

    def _served(self, deployed: Deployed, state: State) -> State:
        behaviour = self._behaviour(deployed.request)
        flaw = behaviour.flaw(self, deployed) if behaviour.flaw else None
        if flaw:
            raise InitFailed(state, self.unready(deployed, flaw))
        if behaviour.served_seconds:
            limit = deployed.request.timeout_seconds or behaviour.served_seconds
            row = self.store.get(deployed.key)
            try:
                readiness.wait(self, deployed.key, row.generation if row else 1, limit)
            except readiness.NotReady as error:
                text = self.unready(deployed, str(error), timed_out=error.timed_out)
                raise InitFailed(state, text) from error
        return state

    def _plain(self, inputs: Json) -> Json:
        return {name: value for name, value in inputs.items() if value is not None}

    def _find(self, request: Request) -> Row | None:
        inputs = {**request.old_outputs, **request.old_inputs, **request.inputs}
        inputs["__id"] = request.id
        scope = self.scope(request.type, inputs)
        row = self.store.get(Key(self.package, scope, request.type, request.id))
        if row is not None:
            return row
        rows = self.rows(request.type, scope)
        return next((row for row in rows if self.accepts_id(row.key, request.id)), None)
