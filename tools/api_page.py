"""The page of the Python API, docs/api.md, made from the docstrings: ``python tools/api_page.py``.

Everything is read from the source and nothing is imported, so any Python does. The names are those of the package's own face
(`_PUBLIC` in `__init__.py`), of `scene` (its `__all__`) and of `infer` (its `_PUBLIC`).
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "api.md"
WIDTH = 100
SETTING_COLUMN = 18
"""Characters of the names of settings beside what they say."""
HEAD = """# The Python API

Made from the docstrings by `python tools/api_page.py`; a test compares the two. What is not on this page may change without
notice. Names in back quotes that begin with `core.` or `infer.` are modules of this package.

```python
import sapiens2_avatar as s2  # in Blender: from bl_ext.user_default import sapiens2_avatar as s2
```

Nothing is imported before it is used: torch by `predict`, `clip_poses` and `infer`, Blender's `bpy` by `scene`, and
nothing but numpy by the rest until it is called. Every failure that is not a bug is a `SapiensError`.
"""
SCENE = """## s2.scene: into Blender

Needs `bpy`. Also as `from sapiens2_avatar.scene import …`.
"""
INFER = """## s2.infer: the network itself

Needs `torch`. For those who want the model and not the whole way from a photo.
"""

Definition = ast.FunctionDef | ast.ClassDef


def tree(module: str) -> ast.Module:
    """The source of a module of the package, by its dotted name ("" is the package itself)."""
    path = ROOT.joinpath(*module.split(".")) if module else ROOT
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return ast.parse(path.read_text("utf-8"))


def table(module: str) -> dict[str, str | None]:
    """`_PUBLIC` of a package: name -> module that defines it."""
    for node in tree(module).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "_PUBLIC":
            return ast.literal_eval(node.value)
    raise SystemExit(f"{module or 'the package'} has no _PUBLIC")


def exported(module: str) -> dict[str, str]:
    """What a package imports for its callers: name in `__all__` -> module that defines it."""
    nodes = tree(module).body
    names = next(ast.literal_eval(n.value) for n in nodes if isinstance(n, ast.Assign) and ast.unparse(n.targets[0]) == "__all__")
    sources = {alias.name: f"{module}.{n.module}" for n in nodes if isinstance(n, ast.ImportFrom) for alias in n.names}
    return {name: sources[name] for name in names}


def definition(module: str, name: str) -> Definition:
    """The function or class of that name. SystemExit where the module has none, or one without a docstring."""
    for node in tree(module).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and node.name == name:
            if not ast.get_docstring(node):
                raise SystemExit(f"{module}.{name} has no docstring")
            return node
    raise SystemExit(f"{module} does not define {name}")


def signature(function: ast.FunctionDef, name: str) -> str:
    """A call as the source declares it, without `self` and `cls`; an argument per line where it is long."""
    arguments = function.args
    plain = [*arguments.posonlyargs, *arguments.args]
    defaults = [None] * (len(plain) - len(arguments.defaults)) + list(arguments.defaults)
    written = [_argument(a, d) for a, d in zip(plain, defaults, strict=True) if a.arg not in ("self", "cls")]
    if arguments.vararg:
        written.append("*" + _argument(arguments.vararg, None))
    elif arguments.kwonlyargs:
        written.append("*")
    written += [_argument(a, d) for a, d in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)]
    if arguments.kwarg:
        written.append("**" + _argument(arguments.kwarg, None))
    returns = f" -> {ast.unparse(function.returns)}" if function.returns else ""
    line = f"{name}({', '.join(written)}){returns}"
    return line if len(line) <= WIDTH else f"{name}(\n" + "".join(f"    {part},\n" for part in written) + f"){returns}"


def _argument(argument: ast.arg, default: ast.expr | None) -> str:
    text = argument.arg if argument.annotation is None else f"{argument.arg}: {ast.unparse(argument.annotation)}"
    return text if default is None else f"{text} = {ast.unparse(default).replace(chr(39), chr(34))}"


def prose(docstring: str) -> str:
    """A docstring as Markdown: blocks of ``name  meaning`` rows become code, everything else stays."""
    blocks = []
    for block in docstring.split("\n\n"):
        lines = block.split("\n")
        first = next((i for i, line in enumerate(lines) if re.match(r"[\w, *]+?  +\S", line)), None)
        if first is None:
            blocks.append(block)
            continue
        last = max(i for i, line in enumerate(lines) if re.match(r"[\w, *]+?  +\S|  +\S", line)) + 1
        parts = ["\n".join(lines[:first]), "```text\n" + "\n".join(lines[first:last]) + "\n```", "\n".join(lines[last:])]
        blocks += [part for part in parts if part]
    return "\n\n".join(blocks)


def entry(name: str, module: str) -> str:
    """One name of the page: heading, signature, docstring, and of a class its fields with their defaults and its methods."""
    node = definition(module, name)
    text = [f"### {name}"]
    if isinstance(node, ast.FunctionDef):
        text.append(f"```python\n{signature(node, name)}\n```")
    text.append(prose(ast.get_docstring(node) or ""))
    if isinstance(node, ast.ClassDef):
        text += _members(node)
    return "\n\n".join(text)


def _members(node: ast.ClassDef) -> list[str]:
    declared = [n for n in node.body if isinstance(n, ast.AnnAssign)]
    fields = [_field(n) for n in declared]
    rows = [f"{ast.unparse(n.target):<{SETTING_COLUMN}} {_setting(n).args[2].value}" for n in declared if _setting(n)]
    text = ["```text\n" + "\n".join(rows) + "\n```"] if rows else []
    text += ["```python\n" + "\n".join([f"class {node.name}:", *(f"    {line}" for line in fields)]) + "\n```"] if fields else []
    methods = []
    for method in node.body:
        if not isinstance(method, ast.FunctionDef) or method.name.startswith("_"):
            continue
        is_property = any(ast.unparse(d) == "property" for d in method.decorator_list)
        call = (
            f"{method.name}: {ast.unparse(method.returns)}" if is_property and method.returns else signature(method, method.name)
        )
        said = (ast.get_docstring(method) or "").split("\n\n")[0]
        methods.append(f"- `{' '.join(call.split())}`" + (f"  \n  {' '.join(said.split())}" if said else ""))
    return [*text, "\n".join(methods)] if methods else text


def _setting(field: ast.AnnAssign) -> ast.Call | None:
    """The call of `core.common.settings.setting` that declares a field, None where the field is declared otherwise."""
    value = field.value
    return value if isinstance(value, ast.Call) and ast.unparse(value.func) == "setting" else None


def _field(field: ast.AnnAssign) -> str:
    """A field as the source declares it; of a setting its default alone, since its words are in rows of their own."""
    declared = _setting(field)
    shown = ast.AnnAssign(field.target, field.annotation, declared.args[0], field.simple) if declared else field
    return ast.unparse(shown).replace("'", '"')


def page() -> str:
    """The whole of docs/api.md."""
    parts = [HEAD, "## s2"]
    parts += [entry(name, module) for name, module in table("").items() if module]
    parts += [SCENE, *(entry(name, module) for name, module in exported("scene").items())]
    parts += [INFER, *(entry(name, f"infer.{module}") for name, module in table("infer").items())]
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
    print(PAGE)
