"""Every verb that the source can write to the audit log, read from the calls that write it."""

from __future__ import annotations

import ast
import re
from functools import cache
from itertools import product
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROOMS = (
    "core", "catalog", "customers", "subscriptions", "billing", "reporting", "crm", "backoffice", "portal", "api",
    "demo",
)  # fmt: skip
WRITERS = {"core.services.trail.audit", "core.services.trail.entry", "core.models.AuditEntry"}
#: A statement that writes rows itself: the first text with a dot is its verb.
_STATEMENT = re.compile(r"INSERT INTO core_auditentry.*?'([a-z_]+\.[a-z_]+)'", re.DOTALL)
#: Stands for what only the running program knows.
UNKNOWN = "*"


class Module:
    """A source file: where each node stands, and what its names were imported as."""

    def __init__(self, path: Path) -> None:
        self.name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        self.text = path.read_text("utf-8")
        self.tree = ast.parse(self.text)
        self.function: dict[ast.AST, ast.FunctionDef] = {}
        self.imported: dict[str, str] = {}
        self.own: set[str] = set()
        self._place(self.tree, None)
        for node in self.tree.body:
            if isinstance(node, ast.FunctionDef):
                self.own.add(node.name)

    def _place(self, node: ast.AST, function: ast.FunctionDef | None) -> None:
        if isinstance(node, ast.ImportFrom) and node.module:
            self.imported.update({one.asname or one.name: f"{node.module}.{one.name}" for one in node.names})
        for child in ast.iter_child_nodes(node):
            if function is not None:
                self.function[child] = function
            self._place(child, child if isinstance(child, ast.FunctionDef) else function)

    def called(self, call: ast.Call) -> str:
        """The full name of what a call calls; empty where that can't be read."""
        head, _dot, rest = ast.unparse(call.func).partition(".")
        if head in self.own and not rest:
            return f"{self.name}.{head}"
        return ".".join(part for part in (self.imported.get(head, ""), rest) if part) if head in self.imported else ""


@cache
def modules() -> list[Module]:
    paths = (path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py")))
    return [Module(path) for path in paths if "migrations" not in path.parts]


@cache
def calls() -> dict[str, list[tuple[Module, ast.Call]]]:
    found: dict[str, list[tuple[Module, ast.Call]]] = {}
    for module in modules():
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Call):
                found.setdefault(module.called(node), []).append((module, node))
    return found


def _passed(function: ast.FunctionDef, call: ast.Call, name: str) -> ast.expr | None:
    """What a call passes for a parameter, or the parameter's default."""
    for keyword in call.keywords:
        if keyword.arg == name:
            return keyword.value
    args = function.args
    names = [one.arg for one in (*args.posonlyargs, *args.args)]
    if name in names and names.index(name) < len(call.args):
        return call.args[names.index(name)]
    named = zip(reversed(names), reversed(args.defaults), strict=False)
    keyed = zip((one.arg for one in args.kwonlyargs), args.kw_defaults, strict=True)
    return {**dict(named), **dict(keyed)}.get(name)


def values(module: Module, node: ast.expr | None, within: tuple[str, ...] = ()) -> set[str]:
    """The texts an expression can be; with `UNKNOWN` in the place of what can't be read."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return {node.value}
    if isinstance(node, ast.FormattedValue):
        return values(module, node.value, within)
    if isinstance(node, ast.JoinedStr):
        return {"".join(parts) for parts in product(*(values(module, part, within) for part in node.values))}
    if isinstance(node, ast.IfExp):
        return values(module, node.body, within) | values(module, node.orelse, within)
    if isinstance(node, ast.Dict):
        return {text for one in node.values for text in values(module, one, within)}
    if isinstance(node, ast.Subscript):
        return values(module, node.value, within)
    if isinstance(node, ast.Name):
        return _of_name(module, node, within) or {UNKNOWN}
    return {UNKNOWN}


def _of_name(module: Module, node: ast.Name, within: tuple[str, ...]) -> set[str]:
    """By what its function assigns to the name and, where it is a parameter, by what every caller passes."""
    function = module.function.get(node)
    place = f"{module.name}.{function.name if function else ''}"
    if f"{place}:{node.id}" in within:
        return set()
    within = (*within, f"{place}:{node.id}")
    found: set[str] = set()
    for one in ast.walk(function or module.tree):
        if isinstance(one, (ast.Assign, ast.AnnAssign)) and one.value is not None:
            for target in one.targets if isinstance(one, ast.Assign) else [one.target]:
                found |= _assigned(module, target, one.value, node.id, within)
    if function is not None and node.id in _parameters(function):
        for caller, call in calls().get(place, []):
            found |= values(caller, _passed(function, call, node.id), within)
    return found


def _parameters(function: ast.FunctionDef) -> set[str]:
    return {one.arg for one in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)}


def _assigned(module: Module, target: ast.expr, value: ast.expr, name: str, within: tuple[str, ...]) -> set[str]:
    """What an assignment gives a name, by itself or as one of a tuple."""
    if isinstance(target, ast.Name) and target.id == name:
        return values(module, value, within)
    if isinstance(target, ast.Tuple) and isinstance(value, ast.IfExp):
        either = (_assigned(module, target, one, name, within) for one in (value.body, value.orelse))
        return set().union(*either)
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        pairs = zip(target.elts, value.elts, strict=True)
        return {text for one, what in pairs for text in _assigned(module, one, what, name, within)}
    return set()


@cache
def written() -> dict[str, set[str]]:
    """Every verb, and the modules that write it."""
    found: dict[str, set[str]] = {}
    for writer in WRITERS:
        for module, call in calls().get(writer, []):
            verb = next((one.value for one in call.keywords if one.arg == "verb"), None)
            for text in values(module, verb):
                found.setdefault(text, set()).add(f"{module.name}:{call.lineno}")
    for module in modules():
        for verb in _STATEMENT.findall(module.text):
            found.setdefault(verb, set()).add(module.name)
    return found
