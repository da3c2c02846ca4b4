"""The rules of ARCHITECTURE.md that a machine can check: who imports whom, sizes, test twins, clean text.

Everything is read from the source with `ast`; nothing is imported. A failure says what to do about it.
"""

import ast
import gc
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60

# The decisions: no socket, file, clock, randomness or thread can be reached from these modules.
PURE_IMPORTS = frozenset(
    "__future__ abc array base64 binascii bisect calendar collections copy dataclasses difflib enum fnmatch functools "
    "hashlib heapq ipaddress itertools json math operator re string struct types typing urllib.parse zlib "
    "brotli cryptography hmac jsonschema_rs jwt msgspec pydantic pydantic_core re2".split()
)

# Package of ours -> the packages and modules of ours that it may import, besides itself. A module's own
# top-level code and its functions are both looked at, except for master: see LATE below.
MAY_IMPORT = {
    "gproxy.core": (),
    "gproxy.settings_values": (),
    "gproxy.settings_table": (),
    "gproxy.settings": ("gproxy.settings_table", "gproxy.settings_values", "gproxy.entrances"),
    "gproxy.entrances": ("gproxy.settings",),
    "gproxy.logs": ("gproxy.settings",),
    "gproxy.shared": ("gproxy.core",),
    "gproxy.role": ("gproxy.settings", "gproxy.shared"),
    "gproxy.certificates": ("gproxy.core", "gproxy.settings", "gproxy.shared"),
    "gproxy.filters": ("gproxy.core",),
    "gproxy.store": ("gproxy.core",),
    "gproxy.worker": (
        *("gproxy.filters", "gproxy.shared", "gproxy.core", "gproxy.store.snapshot_file"),
        *("gproxy.settings", "gproxy.logs", "gproxy.role", "gproxy.entrances"),
    ),
    "gproxy.sync": (
        "gproxy.certificates",
        "gproxy.store",
        "gproxy.shared",
        "gproxy.core",
        "gproxy.settings",
        "gproxy.logs",
        "gproxy.role",
        "gproxy.entrances",
    ),
    "gproxy.monitor": (
        *("gproxy.shared", "gproxy.core", "gproxy.settings", "gproxy.logs", "gproxy.role"),
        # Health checks connect to servers exactly as the workers do, and explanations are told by what serves.
        *("gproxy.store.snapshot_file", "gproxy.worker.connector", "gproxy.filters"),
        *("gproxy.worker.forwarded", "gproxy.worker.health", "gproxy.worker.view"),
        *("gproxy.worker.key_files", "gproxy.worker.cache.question", "gproxy.worker.cache.shelf"),
    ),
    "gproxy.master": (
        *("gproxy.shared", "gproxy.core.events", "gproxy.core.bundle", "gproxy.settings", "gproxy.settings_values"),
        *("gproxy.logs", "gproxy.role", "gproxy.entrances"),
    ),
    "gproxy.ctl": ("gproxy.store", "gproxy.core", "gproxy.settings"),
    "gadmin": (
        *("gproxy.core", "gproxy.store", "gproxy.sync.sources", "gproxy.logs"),
        *("gproxy.settings", "gproxy.settings_table", "gproxy.settings_values"),
        # Files of configurations, questions to nodes, and binds are the same everywhere.
        *("gproxy.ctl.files", "gproxy.ctl.node", "gproxy.ctl.explain_view", "gproxy.master.listen"),
    ),
    "gproxy.__main__": ("gproxy.master", "gproxy.settings", "gproxy.logs", "gproxy.role", "gproxy.shared"),
}

# What the master may import inside a function only: it runs in the child, after fork.
LATE = {"gproxy.master": ("gproxy.worker", "gproxy.sync", "gproxy.monitor", "gproxy.filters", "gproxy.certificates")}

# Outside library -> the only packages of ours that may import it.
ONLY_IN = {
    "brotli": ("gproxy.core",),
    "opentelemetry": ("gproxy.monitor",),
    "cryptography": ("gproxy.certificates", "gproxy.core"),
    "jwt": ("gproxy.core",),
    "mmap": ("gproxy.shared",),
    "sqlite3": ("gproxy.store",),
    "etcd3": ("gproxy.store",),
    "grpc": ("gproxy.store",),
    "pydantic": ("gproxy.core",),
    "msgspec": ("gproxy.core",),
    "jsonschema_rs": ("gproxy.core",),
    "re2": ("gproxy.core",),
    "gevent": ("gproxy.worker", "gproxy.monitor"),
    "h2": ("gproxy.worker.http2",),
    "hyperframe": ("gproxy.worker.http2",),
    "geventhttpclient": ("gproxy.worker", "gproxy.monitor"),
    "prometheus_client": ("gproxy.monitor",),
    "argon2": ("gadmin.accounts",),
    "flask": ("gadmin",),
    "waitress": ("gadmin",),
    "gadmin": ("gadmin",),
}

# Starting point -> libraries that must stay out of that process, however many imports away.
NEVER_LOADED = {
    "gproxy.__main__": ("gevent", "geventhttpclient", "grpc", "pydantic", "sqlite3", "cryptography", "ssl"),
    "gproxy.worker.process": ("pydantic", "sqlite3", "grpc", "etcd3", "cryptography"),
    "gproxy.monitor.process": ("grpc", "etcd3", "opentelemetry"),
    "gproxy.sync.process": ("gevent", "geventhttpclient"),
    "gproxy.ctl.__main__": ("gevent", "geventhttpclient"),
    "gadmin.__main__": ("gevent", "geventhttpclient"),
}

# Sources without a test file of their own, each with its reason.
NO_TWIN: dict[str, str] = {}


@dataclass(frozen=True, slots=True)
class Import:
    """One imported module as written in the source; `late` when inside a function."""

    module: str
    line: int
    late: bool


def sources(*folders: str) -> list[Path]:
    """Return every Python file below the given folders of the project, sorted."""
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def module_name(path: Path) -> str:
    """Return the dotted name of a source file: `gproxy/core/path.py` is `gproxy.core.path`."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


OUR_MODULES = {module_name(path): path for path in sources("gproxy", "gadmin")}


def is_within(module: str, package: str) -> bool:
    return module == package or module.startswith(package + ".")


@cache
def imports(path: Path) -> list[Import]:
    """Return the imports of a file; `from package import name` is `package.name` when that is a module."""
    found: list[Import] = []
    walk(ast.parse(path.read_text(encoding="utf-8")), path, False, found)
    return found


def walk(node: ast.AST, path: Path, late: bool, found: list[Import]) -> None:
    """Add the imports below a node, leaving out what only a type checker sees."""
    if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
        return
    if isinstance(node, ast.Import):
        found.extend(Import(name.name, node.lineno, late) for name in node.names)
    elif isinstance(node, ast.ImportFrom):
        above = path.relative_to(ROOT).parts[: -node.level] if node.level else ()
        package = ".".join((*above, *([node.module] if node.module else [])))
        full = [f"{package}.{name.name}" for name in node.names]
        found.extend(Import(name if name in OUR_MODULES else package, node.lineno, late) for name in full)
    late = late or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.expr):  # no import is part of an expression
            walk(child, path, late, found)


def home(module: str) -> str | None:
    """Return the package of MAY_IMPORT that a module of ours belongs to, None for the bare top package."""
    return next((package for package in MAY_IMPORT if is_within(module, package)), None)


def forbidden(module: str, imported: Import) -> str | None:
    """Return why this import is not allowed, None when it is."""
    package = home(module)
    if is_within(imported.module, "gproxy"):
        if package is None or imported.module == "gproxy":
            return None
        allowed = (package, *MAY_IMPORT[package], *(LATE.get(package, ()) if imported.late else ()))
        if not any(is_within(imported.module, name) for name in allowed):
            return f"{package} may import only {', '.join(allowed)}: move the code, or pass the value in"
        return None
    if is_within(imported.module, "gevent.monkey"):
        return "nothing is patched: use the loop's own watchers"
    library = imported.module.split(".")[0]
    if library in ONLY_IN and not any(is_within(module, name) for name in ONLY_IN[library]):
        return f"{library} is wrapped in {', '.join(ONLY_IN[library]) or 'no package of gproxy'}: use that"
    if package == "gproxy.core" and not any(is_within(imported.module, name) for name in PURE_IMPORTS):
        return "core is pure: do this in a shell package and pass the result in as an argument"
    return None


def test_imports_follow_the_architecture() -> None:
    problems = [
        f"{path.relative_to(ROOT)}:{imported.line}: imports {imported.module}: {reason}"
        for module, path in OUR_MODULES.items()
        for imported in imports(path)
        if (reason := forbidden(module, imported))
    ]
    assert not problems, "\n" + "\n".join(problems)


def loaded_with(start: str) -> Iterator[tuple[str, str]]:
    """Yield (library, chain of our modules) for everything that importing `start` loads before any call."""
    chains = {start: start}
    waiting = [start]
    while waiting:
        module = waiting.pop()
        for imported in imports(OUR_MODULES[module]):
            if imported.late:
                continue
            if imported.module.split(".")[0] not in ("gproxy", "gadmin"):
                yield imported.module.split(".")[0], chains[module]
                continue
            parts = imported.module.split(".")
            for name in (".".join(parts[:count]) for count in range(1, len(parts) + 1)):  # packages load first
                if name in OUR_MODULES and name not in chains:
                    chains[name] = f"{chains[module]} -> {name}"
                    waiting.append(name)


@pytest.mark.parametrize("start", NEVER_LOADED)
def test_a_process_does_not_load_what_it_must_not(start: str) -> None:
    problems = [f"{chain} loads {name}" for name, chain in loaded_with(start) if name in NEVER_LOADED[start]]
    assert not problems, "import it inside the function that runs in the right process:\n" + "\n".join(problems)


@pytest.fixture(autouse=True)
def no_collection() -> Iterator[None]:
    """Keep the collector away: it would look at the trees again and again, and most of the time goes there."""
    gc.disable()
    yield
    gc.enable()


def statements(node: ast.AST) -> Iterator[ast.AST]:
    """Yield everything below a node except what is part of an expression, which has no function."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.expr):
            yield child
            yield from statements(child)


def has_code(path: Path) -> bool:
    """Return False for a file of docstring, imports and constants, which has nothing to test by itself."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return any(isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) for node in statements(tree))


def test_every_source_file_has_a_test_twin() -> None:
    missing = []
    for path in sources("gproxy", "gadmin", "scripts"):
        source = path.relative_to(ROOT)
        below = source.relative_to("gproxy") if source.parts[0] == "gproxy" else source
        twin = Path("tests") / below.parent / f"test_{below.stem.strip('_')}.py"
        if has_code(path) and not (ROOT / twin).exists() and str(source) not in NO_TWIN:
            missing.append(f"{source}: write {twin}")
    assert not missing, "\n" + "\n".join(missing)


def test_exceptions_are_still_needed() -> None:
    gone = [name for name in NO_TWIN if not (ROOT / name).exists()]
    assert not gone, f"take these out of NO_TWIN: {gone}"


def test_files_and_functions_stay_small() -> None:
    problems = []
    for path in sources("gproxy", "gadmin", "scripts", "tests"):
        text = path.read_text(encoding="utf-8")
        name = path.relative_to(ROOT)
        if text.count("\n") > MAX_FILE_LINES:
            problems.append(f"{name}: {text.count(chr(10))} lines, at most {MAX_FILE_LINES}: split it by idea")
        for node in statements(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > MAX_FUNCTION_LINES:
                    problems.append(
                        f"{name}:{node.lineno}: {node.name} has {length} lines, at most {MAX_FUNCTION_LINES}"
                    )
    assert not problems, "\n" + "\n".join(problems)


def text_files() -> Iterator[tuple[Path, str]]:
    """Yield every text file that belongs to the project, with its content."""
    folders = ("gproxy", "gadmin", "web", "scripts", "tests", "conf", "docs", ".ci")
    below = [path for name in folders for path in (ROOT / name).rglob("*")]
    for path in sorted([*below, *ROOT.glob("*.*"), ROOT / ".gitignore"]):
        if path.name == ".git" or "vendor" in path.parts:  # in a worktree: a file with a path; code of others
            continue
        if path.is_file() and path.suffix not in (".pyc", ".png") and "egg-info" not in str(path):
            yield path.relative_to(ROOT), path.read_text(encoding="utf-8", errors="replace")


# The brackets keep these patterns from finding themselves.
UNWANTED = {
    re.compile(r"\b(?:[T]ODO|[F]IXME|[X]XX)\b"): "open an issue instead of leaving unfinished work in the source",
    re.compile(r"(?<![\w.$}])/(?:[h]ome|[r]oot|[w]ork|[U]sers|[o]pt)/\w"): "a path of one machine: make it relative",
}


def test_text_is_free_of_unfinished_work_and_machine_paths() -> None:
    problems = [
        f"{path}:{number}: {found.group()!r}: {advice}"
        for path, text in text_files()
        for number, line in enumerate(text.splitlines(), 1)
        for pattern, advice in UNWANTED.items()
        if (found := pattern.search(line))
    ]
    assert not problems, "\n" + "\n".join(problems)
