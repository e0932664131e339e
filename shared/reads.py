"""Reads that take one round trip: of one use case, or of several that wait together."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from shared.mongo import Document


@dataclass(frozen=True)
class Read:
    """A read of some documents, beside others."""

    collection: str
    query: Mapping[str, Any] = field(default_factory=dict)
    by: tuple[str, str] | None = None
    """A field of what was read before it (`copies._id`) and the field here that has its value.

    None: the query alone selects the documents.
    """
    sort: Mapping[str, int] = field(default_factory=dict)
    limit: int = 0
    """Most documents to return; 0: all."""

    def stage(self, name: str) -> Document:
        """Return the stage of a pipeline that adds the documents as field `name`."""
        steps: list[Document] = []
        if self.query:
            steps.append({"$match": dict(self.query)})
        if self.sort:
            steps.append({"$sort": dict(self.sort)})
        if self.limit:
            steps.append({"$limit": self.limit})
        found: Document = {"from": self.collection, "as": name, "pipeline": steps}
        if self.by is not None:
            found["localField"], found["foreignField"] = self.by
        return {"$lookup": found}


class Reads:  # noqa: PLW1641 - compared only
    """A document, the root, and what else is read with it, each by its name."""

    def __init__(self, collection: str, query: Mapping[str, Any], **others: Read) -> None:
        self.root = Read(collection, query)
        self.others = others

    def __eq__(self, other: object) -> bool:
        """Return whether the other reads the same."""
        return isinstance(other, Reads) and vars(self) == vars(other)

    @property
    def collections(self) -> list[str]:
        """The collections that are read."""
        return [self.root.collection, *(read.collection for read in self.others.values())]

    @property
    def pipeline(self) -> list[Document]:
        """The pipeline on the root's collection whose only document has all that is read."""
        first: list[Document] = [{"$match": dict(self.root.query)}, {"$limit": 1}]
        return first + [read.stage(name) for name, read in self.others.items()]

    @property
    def shape(self) -> object:
        """A value that is the same for reads that differ in the values of their queries alone."""
        return tuple(
            (name, read.collection, read.by, tuple(read.query), tuple(read.sort), read.limit)
            for name, read in (("", self.root), *self.others.items())
        )


ROOT = "root"
_NAMED = {"$in", "$type"}
"""The operators of a condition that names its values (see `shared.mongo.strings`)."""


class Together:
    """The reads of several use cases as one. They have the same shape.

    In each of them a query differs in one field at most, which is no array, and names its values.
    """

    def __init__(self, asked: Sequence[Reads]) -> None:
        """Combine them. Raises ValueError if they can't be."""
        self._asked = asked
        self._root = _Combined([one.root for one in asked])
        self._others = {
            name: _Combined([one.others[name] for one in asked]) for name in asked[0].others
        }

    @property
    def collection(self) -> str:
        """The collection on which the pipeline runs."""
        return self._root.read.collection

    @property
    def pipeline(self) -> list[Document]:
        """The pipeline whose only document has what all of them read; it may have none."""
        root: list[Document] = [
            {"$match": dict(self._root.read.query)},
            {"$group": {"_id": None, ROOT: {"$push": "$$ROOT"}}},
        ]
        others = []
        for name, each in self._others.items():
            read = each.read
            if read.by and "." not in read.by[0]:
                read = replace(read, by=(f"{ROOT}.{read.by[0]}", read.by[1]))
            others.append(read.stage(name))
        return root + others

    def parts(self, found: Document | None) -> list[Document | None]:
        """Return the document of each use case out of the pipeline's, as its own would be."""
        return [self._part(number, found or {}) for number in range(len(self._asked))]

    def _part(self, number: int, found: Document) -> Document | None:
        roots = self._root.own(number, found.get(ROOT, ()))
        if not roots:
            return None
        part: Document = dict(roots[0])
        for name, each in self._others.items():
            documents = each.own(number, found[name])
            if each.read.by:
                local, foreign = each.read.by
                source, _, field_ = local.rpartition(".")
                values = {one.get(field_) for one in (part[source] if source else roots[:1])}
                documents = [one for one in documents if one.get(foreign) in values]
            limit = self._asked[number].others[name].limit
            part[name] = documents[:limit] if limit else documents
        return part


class _Combined:
    """One read for several of the same shape."""

    def __init__(self, reads: Sequence[Read]) -> None:
        first = reads[0]
        differing = {
            name
            for read in reads[1:]
            for name, condition in read.query.items()
            if condition != first.query[name]
        }
        if len(differing) > 1:
            raise ValueError(f"the reads of {first.collection} differ in {sorted(differing)}")
        self._field = next(iter(differing), "")
        self._values: list[Collection[Any]] = []
        self.read = first
        if self._field:
            self._values = [_values(read.query[self._field]) for read in reads]
            every = sorted({value for values in self._values for value in values})
            given = first.query[self._field]
            condition = {**(given if isinstance(given, Mapping) else {}), "$in": every}
            query = {**first.query, self._field: condition}
            self.read = replace(first, query=query, limit=0)
        if self.read.limit and first.by:
            raise ValueError(f"each reads its own {first.limit} of {first.collection}")

    def own(self, number: int, documents: Sequence[Document]) -> list[Document]:
        """Return those of the documents that one of the reads finds."""
        if not self._field:
            return list(documents)
        values = self._values[number]
        return [one for one in documents if one.get(self._field) in values]


def _values(condition: Any) -> Collection[Any]:
    if isinstance(condition, str):
        return {condition}
    if isinstance(condition, Mapping) and "$in" in condition and condition.keys() <= _NAMED:
        return set(condition["$in"])
    raise ValueError(f"{condition!r} names no values")
