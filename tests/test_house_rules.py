"""What reviewers would otherwise have to remember (CONTRIBUTING.md, "House rules")."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[1]
GENERATED = ROOT / "protos" / "src" / "parley"
SKIPPED = {".venv", ".uv", ".parley", "node_modules", "build", "dist", ".git"}
SERVICES = ["gateway", "chat-service", "prompt-service", "provider-service"]
FORBIDDEN_STEMS = re.compile(r"utils|helpers|common|misc|base|manager|handlers|.*_(v2|new|db)")
FORBIDDEN_CLASSES = re.compile(r"\w*(Manager|Handler|Helper|Impl)|Abstract\w*|I[A-Z][a-z]\w*")
MAY_CATCH_ALL = {
    "protos/src/parley_rpc/interceptors.py": "every call gets its status",
    "gateway/src/parley_gateway/api/middleware.py": "every request gets its answer",
    "chat-service/src/parley_chat_service/core/replies.py": "every caller of a turn gets an answer",
    "chat-service/src/parley_chat_service/core/generation.py": "every turn gets its ending",
    "provider-service/src/parley_provider_service/core/guard.py": "plugins may raise anything",
    "provider-service/src/parley_provider_service/adapters/plugins.py": "so may their import",
}
VENDORS = re.compile(
    r"openai|anthropic|claude|gemini|google(?![./](protobuf|rpc)|apis)|ollama", re.IGNORECASE
)
OTHERS = re.compile(r"gemini|google(?![./](protobuf|rpc)|apis|_fonts)|ollama", re.IGNORECASE)
NESTED = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith, ast.Try, ast.Match)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def python_files() -> list[Path]:
    files = [p for p in ROOT.rglob("*.py") if not SKIPPED & set(p.relative_to(ROOT).parts)]
    return [p for p in files if GENERATED not in p.parents]


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def is_test(path: Path) -> bool:
    return "tests" in path.relative_to(ROOT).parts[:-1]


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, FUNCTIONS):
            yield node


def depth(node: ast.AST, level: int = 0) -> int:
    deepest = level
    for child in ast.iter_child_nodes(node):
        if isinstance(child, FUNCTIONS):
            continue
        is_elif = isinstance(node, ast.If) and isinstance(child, ast.If) and child in node.orelse
        deeper = level + (isinstance(child, NESTED) and not is_elif)
        deepest = max(deepest, depth(child, deeper))
    return deepest


def test_no_file_is_monstrous() -> None:
    limits = {p: 500 if is_test(p) else 400 for p in python_files()}
    lines = {p: len(p.read_text().splitlines()) for p in limits}

    assert {} == {named(p): n for p, n in lines.items() if n > limits[p]}


def test_no_function_is_monstrous() -> None:
    too_long, too_deep = {}, {}
    for path in python_files():
        for node in functions(path):
            name = f"{named(path)}:{node.name}"
            length = (node.end_lineno or 0) - node.lineno + 1
            if length > (40 if is_test(path) and node.name.startswith("test_") else 60):
                too_long[name] = length
            if depth(node) > 4:
                too_deep[name] = depth(node)

    assert ({}, {}) == (too_long, too_deep)


def test_names_say_what_is_inside() -> None:
    files = [named(p) for p in python_files() if FORBIDDEN_STEMS.fullmatch(p.stem)]
    classes = [
        f"{named(path)}:{node.name}"
        for path in python_files()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef) and FORBIDDEN_CLASSES.fullmatch(node.name)
    ]

    assert ([], []) == (files, classes)


def catches_all(node: ast.AST) -> bool:
    if not isinstance(node, ast.ExceptHandler):
        return False
    caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
    names = {name.id for name in caught if isinstance(name, ast.Name)}
    return node.type is None or bool(names & {"Exception", "BaseException"})


def test_blanket_excepts_stand_in_named_places_only() -> None:
    """Each of these, and `__main__`, is the last place where a failure can be told."""
    found = {
        named(path)
        for path in python_files()
        if not is_test(path) and path.stem != "__main__"
        if any(map(catches_all, ast.walk(ast.parse(path.read_text()))))
    }

    assert set(MAY_CATCH_ALL) == found


def test_no_server_of_ours_is_open_to_anybody() -> None:
    """What makes one so stands among the tests."""
    assert not [
        named(path)
        for path in python_files()
        if not is_test(path) and "OpenToAnybody" in path.read_text()
    ]


@pytest.mark.parametrize("part", [*SERVICES[1:], "protos"])
def test_no_vendor_is_named_outside_its_plugin(part: str) -> None:
    sources = [
        p
        for p in (ROOT / part).rglob("*")
        if p.suffix in {".py", ".proto", ".toml", ".mako"}
        and not {"plugins", "tests", "node_modules"} & set(p.relative_to(ROOT / part).parts)
        and GENERATED not in p.parents
    ]

    assert [] == [named(p) for p in sources if VENDORS.search(p.read_text())]


@pytest.mark.parametrize("part", ["gateway", "ui", "deploy/local"])
def test_only_the_dialects_are_named_in_front(part: str) -> None:
    """The gateway speaks two vendors' wires to its own clients; of the others it knows nothing."""
    sources = [p for p in (ROOT / part).rglob("*.py") if not is_test(p)]

    assert [] == [named(p) for p in sources if OTHERS.search(p.read_text())]


@pytest.mark.parametrize("area", ["chat", "prompt", "provider"])
def test_every_call_of_the_contracts_is_named_by_a_test_of_its_servicer(area: str) -> None:
    proto = (ROOT / f"protos/proto/parley/{area}/v1/{area}.proto").read_text()
    tests = "".join(p.read_text() for p in (ROOT / f"{area}-service/tests").glob("test_*.py"))

    assert [] == [rpc for rpc in re.findall(r"rpc (\w+)", proto) if rpc not in tests]


def test_every_setting_is_in_the_example() -> None:
    example = (ROOT / "deploy/.env.example").read_text()
    settings = [
        p
        for p in python_files()
        if p.name == "settings.py" and not {"sdk", "template"} & set(p.parts)
    ]
    names = {name.upper() for path in settings for name in setting_names(path)}
    names -= {"PARLEY_TEST_DATABASE_URL"}

    assert len(names) > 20
    assert [] == sorted(n for n in names if not re.search(rf"^#? ?{n}=", example, re.MULTILINE))


def setting_names(path: Path) -> Iterator[str]:
    """The names under which the classes of a settings module look things up."""
    module = ast.parse(path.read_text())
    constants = {
        target.id: str(node.value.value)
        for node in module.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(module):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            call = node.value if isinstance(node.value, ast.Call) else None
            given = {word.arg: word.value for word in call.keywords} if call else {}
            name = given.get("alias") or given.get("env")
            if isinstance(name, ast.Name):
                yield constants[name.id]
            else:
                yield str(name.value) if isinstance(name, ast.Constant) else node.target.id
