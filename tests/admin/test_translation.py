"""Whatever a person reads in the admin can be translated."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import depict_reco

PACKAGE = Path(depict_reco.__file__).parent
MODULES = sorted((PACKAGE / "admin").rglob("*.py"))
TEMPLATES = sorted((PACKAGE / "templates" / "admin" / "depict_reco").rglob("*.html"))
SAID = {"description", "label", "help_text", "title", "search_help_text", "question", "button"}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_words_of_modules_are_marked(path):
    plain = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            said = [word.value for word in node.keywords if word.arg in SAID]
            if isinstance(node.func, ast.Attribute) and node.func.attr == "message_user":
                said.append(node.args[1])
        elif isinstance(node, ast.Assign):
            names = {target.id for target in node.targets if isinstance(target, ast.Name)}
            said = [node.value] if names & SAID else []
        else:
            continue
        plain += [
            f"line {value.lineno}: {ast.unparse(value)}"
            for value in said
            if isinstance(value, (ast.Constant, ast.JoinedStr)) and value is not None
        ]
    assert plain == []


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_words_of_templates_are_marked(path):
    text = path.read_text()
    text = re.sub(r"{% block bodyclass %}.*?{% endblock %}", "", text)
    text = re.sub(r"{% blocktranslate.*?{% endblocktranslate %}", "", text, flags=re.DOTALL)
    text = re.sub(r"{[%{#].*?[%}#]}", "", text, flags=re.DOTALL)
    for attribute in ("alt", "aria-label", "placeholder", "title"):
        assert not re.findall(rf' {attribute}="[^"]*[A-Za-z]', text)
    text = re.sub(r"<[^>]*>", "", text, flags=re.DOTALL)
    text = re.sub(r"&\w+;", "", text)
    assert re.findall(r"[A-Za-z]{2,}", text) == []


def test_there_is_something_to_look_at():
    assert len(MODULES) > 15
    assert len(TEMPLATES) > 8
