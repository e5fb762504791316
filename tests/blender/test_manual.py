"""The page about a button: there is one for each, and it is there."""

from __future__ import annotations

import urllib.parse
import urllib.request
from fnmatch import fnmatchcase
from pathlib import Path

import bpy
import pytest


def page_of(part, name):
    start, pages = part("manual").manual_map()
    found = next((page for pattern, page in pages if fnmatchcase(name, pattern)), None)
    return None if found is None else start + found


def path_of(address):
    return Path(urllib.request.url2pathname(urllib.parse.urlsplit(address).path))


def test_every_operator_has_a_page(part):
    names = [name for name in dir(bpy.ops.sapiens2) if not name.startswith("_")]
    assert len(names) > 40
    for name in names:
        assert path_of(page_of(part, f"bpy.ops.sapiens2.{name}")).is_file(), name


@pytest.mark.parametrize(
    ("name", "page"),
    [
        ("bpy.ops.sapiens2.control_rig", "rig.md"),
        ("bpy.ops.sapiens2.run", "sidebar.md"),
        ("bpy.ops.sapiens2.build_scan", "sidebar.md"),
        ("bpy.types.sapiensbatch.folder", "batch.md"),
        ("bpy.types.sapiensscan.garments", "body.md"),
        ("bpy.types.sapiensscan.focal", "scan.md"),
        ("bpy.types.sapienssettings.photo", "sidebar.md"),
    ],
)
def test_the_page_is_about_the_button(part, name, page):
    assert page_of(part, name).endswith(f"/{page}")


def test_blender_finds_the_pages(part):
    from bl_operators.wm import WM_OT_doc_view_manual

    assert WM_OT_doc_view_manual._lookup_rna_url("bpy.ops.sapiens2.look_through", verbose=False).endswith("/sidebar.md")


def test_a_website_of_the_manifest_counts(part, monkeypatch, tmp_path):
    (tmp_path / "blender_manifest.toml").write_text('website = "https://example.org/manual/"\n')
    monkeypatch.setattr(part("manual"), "HERE", tmp_path)
    assert part("manual").address() == "https://example.org/manual/"
