"""The wheel, installed into a new virtual environment with a new project."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

import depict_reco

ROOT = Path(depict_reco.__file__).resolve().parent.parent

pytestmark = pytest.mark.slow

COMPILED = {f"depict_reco/{room}/_compiled.abi3.so" for room in ("engine", "serving")}

SETTINGS = """
INSTALLED_APPS += [
    "rest_framework", "django_filters", "drf_spectacular", "drf_spectacular_sidecar", "depict_reco"
]
"""

URLS = """
from django.contrib import admin
from django.urls import include, path

urlpatterns = [path("admin/", admin.site.urls), path("", include("depict_reco.urls"))]
"""

ASK = """
import json, sys
from django.test import Client
from depict_reco.models import Market, Product

market = Market.objects.get()
for number in range(3):
    Product.objects.create(
        market=market, product_id=str(number), title=f"Cup {number}", price=5,
        page_url=f"https://shop.example/{number}",
    )
answer = Client(SERVER_NAME="localhost").post(
    "/v2/recommend/products/products",
    data={"tenant": "acme", "market": "se", "type": "checkout", "product_ids": ["1"]},
    content_type="application/json",
    headers={"X-API-KEY": SECRET},
)
displays = answer.json()["displays"]
print(json.dumps([answer.status_code, sorted(one["product_id"] for one in displays)]))
"""


def run(*command: object, folder: Path, **variables: str) -> str:
    """Run a command away from this checkout; show what it said if it fails."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in {"DJANGO_SETTINGS_MODULE", "PYTHONPATH", "DATABASE_URL", "PYTEST_ADDOPTS"}
        and not name.startswith("COV_CORE")
    } | variables
    done = subprocess.run(
        [str(word) for word in command], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("source")
    for name in ("depict_reco", "pyproject.toml", "README.md", "LICENSE"):
        run("cp", "-R", ROOT / name, folder / name, folder=folder)
    for compiled in folder.rglob("*.so"):
        compiled.unlink()
    return folder


@pytest.fixture(scope="module")
def wheel(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "build", "--outdir", folder / "dist", source, folder=folder)
    assert len(list((folder / "dist").glob("depict_reco-*.tar.gz"))) == 1
    (wheel,) = (folder / "dist").glob("depict_reco-*.whl")
    return wheel


def names_in(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    names = names_in(wheel)
    metadata = f"depict_reco-{depict_reco.__version__}.dist-info/"
    assert {name.split("/")[0] + "/" for name in names} == {"depict_reco/", metadata}
    source = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "depict_reco").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".so"
    }
    found = {name for name in names if name.startswith("depict_reco/")}
    assert found - COMPILED == source
    assert {"depict_reco/py.typed", "depict_reco/migrations/0001_initial.py"} <= names


@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")
def test_one_wheel_serves_all_pythons_of_a_platform(wheel: Path) -> None:
    assert "-cp311-abi3-" in wheel.name
    assert names_in(wheel) >= COMPILED


def test_a_wheel_can_be_built_without_a_compiler(source: Path, tmp_path: Path) -> None:
    run(sys.executable, "-m", "build", "--wheel", "--outdir", tmp_path, source,
        folder=tmp_path, CC="/no/compiler")  # fmt: skip
    (wheel,) = tmp_path.glob("depict_reco-*.whl")
    assert not [name for name in names_in(wheel) if name.endswith(".so")]
    assert {"depict_reco/engine/blending.py", "depict_reco/serving/filling.py"} <= names_in(wheel)


def test_a_new_project_migrates_and_answers(wheel: Path, tmp_path: Path) -> None:
    environment = tmp_path / "venv"
    venv.create(environment, with_pip=True)
    python = environment / "bin/python"
    run(python, "-m", "pip", "install", "--quiet", wheel, folder=tmp_path)
    run(environment / "bin/django-admin", "startproject", "shop", folder=tmp_path)
    project = tmp_path / "shop"
    with (project / "shop/settings.py").open("a") as file:
        file.write(SETTINGS)
    (project / "shop/urls.py").write_text(URLS)
    manage = (python, "-W", "error::DeprecationWarning:depict_reco", "manage.py")

    run(*manage, "makemigrations", "--check", "--dry-run", folder=project)
    run(*manage, "migrate", folder=project)
    run(*manage, "reco_create_tenant", "acme", "--market", "se:SEK:sv-SE", folder=project)
    key = run(*manage, "reco_api_keys", "create", "acme", folder=project).strip()
    assert re.fullmatch(r"reco_\w+", key)
    asked = run(*manage, "shell", "-c", ASK.replace("SECRET", repr(key)), folder=project)
    assert json.loads(asked.splitlines()[-1]) == [200, ["0", "2"]]
