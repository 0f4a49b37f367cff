"""What the pgTAP tests of a table say: its kinds of rows, and what must become of each statement on each of them.

The contract decides; of the database come only values that its rules accept, and the SQLSTATE that a trigger of ours
raises. The statements are few next to the prober's: each command bare, where no SELECT policy can hide a hole, and as a
client sends it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import count

from forge_db.access import shapes, world
from forge_db.access.catalogue import Function, Relation
from forge_db.access.causes import Cause
from forge_db.access.contract import COMMANDS, Routine, Table
from forge_db.access.rows import Builder, Row, Values, insert
from forge_db.access.rules import Kind
from forge_db.access.session import Speaker, literal
from forge_db.access.shapes import Shape
from forge_db.access.stage import BYSTANDER, Stage
from forge_db.access.tables import TableProbe
from forge_db.errors import ForgeError, one_line

ME = "authenticated"  # whose account speaks, also when it is staff
DENIED = "42501"
Right = tuple[str, tuple[str, ...]]  # a privilege, and the columns that it is for, or an asterisk


class Recorder(Builder):
    """A builder that remembers the rows it made. Those that others point to have keys that are the same every time."""

    def __init__(self, stage: Stage, *, keeps_all: bool = False) -> None:
        self.keeps_all = keeps_all
        samples = {name: one_line(sample) for name, sample in stage.contract.samples.items()}
        super().__init__(stage.session, stage.catalogue, samples, stage.accounts[BYSTANDER])
        self.made: list[str] = []
        self._keys = count(1)

    def build(self, relation: Relation, fixed: Mapping[str, str]) -> str:
        (key,) = relation.key
        if relation.columns[key].base_type == "uuid":
            fixed = {key: f"'00000000-0000-4000-9000-{next(self._keys):012x}'", **fixed}
        return self.place(relation, self.find(relation, fixed), is_kept=True).match.partition(" = ")[2]

    def place(self, relation: Relation, values: Values, *, is_kept: bool = False) -> Row:
        if is_kept or self.keeps_all:
            self.made.append(insert(relation, values))
        return super().place(relation, values)


@dataclass(frozen=True)
class Line:
    """A statement of somebody's, and what must become of it on each kind of row: a count, or an SQLSTATE."""

    speaker: str
    statement: str
    outcomes: tuple[str, ...]

    @property
    def expected(self) -> str:
        """All of them; or one, where they are the same."""
        return " ".join(self.outcomes if len(set(self.outcomes)) > 1 else self.outcomes[:1])


@dataclass(frozen=True)
class Script:
    """The tests of one table. `clearing` empties it, `parents` are rows for others to point to."""

    name: str
    clearing: list[str]
    parents: list[str]
    kinds: list[tuple[str, str]]  # in words, and the statement that makes the row
    rights: dict[str, list[Right]]
    lines: list[Line]
    locked: list[Line]  # where every grant is given, and the policies alone hold
    indifferent: list[tuple[str, str]]  # rows that differ in what should not matter
    indifferently: list[Line]


def callers(stage: Stage) -> list[str]:
    """The roles that a request can have."""
    return [name for name in stage.contract.roles if any(name in it.becomes for it in stage.contract.roles.values())]


def write(stage: Stage, table: Table) -> Script:
    """The tests of a table, on a stage of which nothing remains."""
    with stage.session.undone():
        return _Writer(stage, table).script()


@dataclass(frozen=True)
class Question:
    """A function that a role may call, or a view that it may read, and what the contract says of the answer."""

    speaker: str
    name: str
    call: str
    truth: str
    then: str
    before: str
    names: list[str]  # of its arguments
    types: list[str]
    values: str  # a query: every value of each argument with each of the others'


def ask(stage: Stage) -> tuple[list[str], list[Question]]:
    """The rows of a small world, and the questions to ask in it: what functions and views must answer to each role."""
    with stage.session.undone():
        stage.builder = recorder = Recorder(stage, keeps_all=True)
        world.populate(stage)
    spelt = stage.spelt()
    asked: list[tuple[Routine, Function | None]] = [
        (routine, stage.catalogue.functions[spelt[routine.name] or ""])
        for routine in stage.contract.functions
        if routine.name.startswith("public.")
    ]
    questions = [
        _question(routine, function, role)
        for routine, function in [*asked, *((view, None) for view in stage.contract.views)]
        if routine.truth or routine.then
        for role in callers(stage)
        if stage.contract.is_for(routine, role)
    ]
    return recorder.made, questions


def _question(routine: Routine, function: Function | None, role: str) -> Question:
    given = {
        name: text if text.strip().startswith("select") else f"select {text}" for name, text in routine.given.items()
    }
    parts = [f"({' '.join(text.split())}) as a{place} (value)" for place, text in enumerate(given.values())]
    listed = ", ".join(f"a{place}.value::text" for place in range(len(given)))
    passed = ", ".join(f"{name} => :{name}" for name in given)
    name = function.name if function else routine.name
    asked = f"{name.partition('(')[0]}({passed})" if function else name
    return Question(
        speaker=role,
        name=name,
        call=f"select {routine.columns} from {asked} as answer",
        truth=" ".join((routine.truth or "").split()),
        then=" ".join((routine.then or "").split()),
        before=" ".join((routine.before or "").split()),
        names=list(given),
        types=[function.arguments[it] for it in given] if function else [],
        values=f"select distinct array[{listed}]::text[]" + (f" from {' cross join '.join(parts)}" if given else ""),
    )


class _Writer:
    def __init__(self, stage: Stage, table: Table) -> None:
        self.stage = stage
        self.table = table
        self.relation = stage.relation(table)
        self.clearing = self._clearing()
        stage.empty(self.relation)
        stage.builder = self.builder = Recorder(stage)
        self.probes = {role: TableProbe(stage, table, role) for role in callers(stage)}
        self.kinds = self.probes[ME].kinds
        self.values = [self._values(kind) for kind in self.kinds]
        self.varied = [
            (
                kind,
                self._values(kind, prefer),
                f"{kind}; {', '.join(f'{it} = {value}' for it, value in prefer.items())}",
            )
            for kind, prefer in self.probes[ME].variations()
            if prefer
        ]
        with stage.session.undone():
            row = self.builder.place(self.relation, self.values[0])
            pointers = self.builder.pointers(self.relation)
            columns = [name for name, it in self.relation.columns.items() if not it.is_generated]
            others = self.builder.others(self.relation, row, [name for name in columns if name not in pointers])
            self.others = others | pointers

    def script(self) -> Script:
        roles = list(self.probes)
        held = [role for role in roles if not self.stage.contract.roles[role].bypasses_policies]
        lines = [line for role in roles for line in self._lines(role)]
        return Script(
            name=self.table.name,
            clearing=self.clearing,
            kinds=[(str(kind), insert(self.relation, it)) for kind, it in zip(self.kinds, self.values, strict=True)],
            rights={role: list(self._rights(role)) for role in roles},
            lines=lines,
            locked=[line for role in held for line in self._locked(role)],
            indifferent=[(words, insert(self.relation, values)) for _, values, words in self.varied],
            indifferently=list(self._indifferently()),
            parents=self.builder.made,
        )

    # Rows ------------------------------------------------------------------------------------------------------------

    def _clearing(self) -> list[str]:
        """What empties the table, also one that only grows."""
        delete = f"delete from {self.table.name}"
        if not self.stage.session.rehearse(delete).sqlstate:
            return [delete]
        states = {"O": "enable", "A": "enable always", "R": "enable replica"}
        awake = [it for it in self.relation.triggers if it.state in states]
        alter = f"alter table {self.table.name}"
        return [
            *(f'{alter} disable trigger "{it.name}"' for it in awake),
            delete,
            *(f'{alter} {states[it.state]} trigger "{it.name}"' for it in awake),
        ]

    def _values(self, kind: Kind, prefer: Values | None = None) -> Values:
        found = self.builder.find(self.relation, self.stage.fixed(self.table, kind, ME), prefer)
        return self.probes[ME].insertable(found)

    @cached_property
    def _moves(self) -> list[tuple[str, str, str]]:
        """One change that makes another kind of row of it: what it becomes, the column, the value."""
        owners = {it.owner: it for it in reversed(self.kinds)}
        given = [
            (owner, self.table.owner[0], self.stage.fixed(self.table, kind, ME)[self.table.owner[0]])
            for owner, kind in sorted(owners.items())
            if len(owners) > 1
        ]
        states = [(state, name, literal(state)) for name in self.table.asked for state in self._domain(name)]
        return given + states

    def _domain(self, column: str) -> list[str]:
        return self.stage.domain(self.table, column)

    def _becomes(self, kind: Kind, column: str, value: str) -> Kind:
        if column in kind.states:
            return Kind(kind.owner, {**kind.states, column: value})
        return Kind(value, kind.states)

    def _seen_by(self, role: str, kind: Kind) -> Kind:
        """To who is not signed in, every owner is another."""
        is_somebody = self.stage.contract.roles[role].signs_in
        return kind if is_somebody or kind.owner != "own" else Kind("other", kind.states)

    # Rights ----------------------------------------------------------------------------------------------------------

    def _rights(self, role: str) -> Iterator[Right]:
        """The columns that a role may name in each command; an asterisk for the table, also as it will be."""
        law = self.probes[role].law
        for command in COMMANDS:
            columns = law.granted(command)
            if columns is None or (command == "delete" and columns):
                yield command, ("*",)
            elif columns:
                yield command, tuple(sorted(columns))

    # Statements ------------------------------------------------------------------------------------------------------

    def _lines(self, role: str) -> Iterator[Line]:
        """What a role meets: each command bare and as a client sends it, each column that it may change, the moves."""
        name, key = self.table.name, tuple(self.relation.key)
        law, keys = self.probes[role].law, ", ".join(self.relation.columns[it].quoted for it in self.relation.key)
        yield self._line(role, "select", Shape("", f"select * from {name}", tuple(self.relation.columns)))
        column = self._column(role)
        yield self._line(role, "insert", Shape("", "insert"))
        if law.gives("insert"):
            target, change = self._arbiter(), f"set {column} = {self.others[column]}"
            yield self._line(role, "insert", Shape("", f"insert returning {keys}", key))
            upsert = f"insert on conflict ({', '.join(target)}) do update {change}"
            yield self._line(role, "insert", Shape("", upsert, target, (column,)))
        changed = law.granted("update") or {column}
        for it in [column, *sorted(changed - {column} - self.probes[role].told)]:
            change = f"update {name} set {self.relation.columns[it].quoted} = {self.others[it]}"
            yield self._line(role, "update", Shape("", change), it)
            if law.gives("update") and it == column:
                where = f"{change} where {key[0]} is not null returning {keys}"
                yield self._line(role, "update", Shape("", where, key), it)
        for becomes, it, value in self._moves:
            change = f"update {name} set {self.relation.columns[it].quoted} = {value}"
            if law.gives("update"):
                yield self._line(role, "update", Shape("", change), it, becomes)
        yield self._line(role, "delete", Shape("", f"delete from {name}"))
        if law.gives("delete"):
            where = f"delete from {name} where {key[0]} is not null returning {keys}"
            yield self._line(role, "delete", Shape("", where, key))

    def _column(self, role: str) -> str:
        """A column to change: one that may be changed in the first kind of row that may be."""
        law = self.probes[role].law
        kind = next((it for it in self.kinds if law.holds("update", self._seen_by(role, it))), self.kinds[0])
        return self.probes[role].a_column(self._seen_by(role, kind))

    def _arbiter(self) -> tuple[str, ...]:
        return shapes.arbiter(self.relation, {name: "" for values in self.values for name in values})

    def _line(self, role: str, command: str, shape: Shape, column: str = "", becomes: str = "") -> Line:
        outcomes = []
        for kind, values in zip(self.kinds, self.values, strict=True):
            seen = self._seen_by(role, kind)
            after = self._seen_by(role, self._becomes(kind, column, becomes)) if becomes else None
            columns = list(values) if command == "insert" else [column] if column else []
            cause = self.probes[role].law.expects(command, seen, shape, columns, after, None)
            codes = {Cause.ALLOWED: "1", Cause.FILTERED: "0"}
            code = self._raised(role, values, shape) if cause is Cause.TRIGGER else codes.get(cause, DENIED)
            outcomes.append(code)
        return Line(role, shape.text, tuple(outcomes))

    def _raised(self, role: str, values: Values, shape: Shape) -> str:
        """The SQLSTATE of a trigger of ours, which the contract does not say."""
        session = self.stage.session
        with session.undone():
            row = insert(self.relation, values)
            if shape.text.startswith("insert"):
                statement = row + shape.text.removeprefix("insert")
            else:
                session.own(row)
                statement = shape.text
            signs_in = self.stage.contract.roles[role].signs_in
            account = self.stage.accounts[ME] if signs_in else None
            session.own(f"update auth.users set role = '{role}' where id = '{self.stage.accounts[ME]}'")
            found = session.attempt(Speaker(role, account), statement)
        if found.cause is not Cause.TRIGGER:
            raise ForgeError(
                f"{role}: {statement}: the contract wants a trigger to refuse it; {found}", "Run `make test-rls`."
            )
        return found.sqlstate

    def _locked(self, role: str) -> Iterator[Line]:
        """What the policies answer where every grant is given."""
        name, law, column = self.table.name, self.probes[role].law, self._column(role)
        seen = [self._seen_by(role, kind) for kind in self.kinds]

        def holds(command: str, refused: str = "0") -> tuple[str, ...]:
            return tuple("1" if law.holds(command, kind) else refused for kind in seen)

        yield Line(role, f"select * from {name}", holds("select"))
        yield Line(role, "insert", holds("insert", DENIED))
        yield Line(role, f"update {name} set {column} = {self.others[column]}", holds("update"))
        for becomes, it, value in self._moves:
            after = [self._seen_by(role, self._becomes(kind, it, becomes)) for kind in self.kinds]
            ends = ("1" if law.holds("update", kind) else DENIED for kind in after)
            starts = holds("update")
            outcomes = tuple(end if start == "1" else "0" for start, end in zip(starts, ends, strict=True))
            yield Line(role, f"update {name} set {self.relation.columns[it].quoted} = {value}", outcomes)
        yield Line(role, f"delete from {name}", holds("delete"))

    def _indifferently(self) -> Iterator[Line]:
        """The same for a user, on rows that differ in what no rule asks for."""
        name, law, column = self.table.name, self.probes[ME].law, self._column(ME)
        statements = {
            "select": f"select * from {name}",
            "update": f"update {name} set {column} = {self.others[column]}",
            "delete": f"delete from {name}",
        }
        for command, statement in statements.items() if self.varied else ():
            yield Line(ME, statement, tuple("1" if law.holds(command, kind) else "0" for kind, *_ in self.varied))
