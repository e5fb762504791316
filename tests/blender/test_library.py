"""Many results in one scene."""

import pytest

bpy = pytest.importorskip("bpy")


@pytest.fixture
def results(part, tmp_path):
    """Three small .blend files, each with a collection that holds a scan."""
    files = []
    for name in ("a", "b", "c"):
        part("scene.files").new_file()
        collection = bpy.data.collections.new(name)
        bpy.context.scene.collection.children.link(collection)
        scan = bpy.data.objects.new(f"{name} Scan", bpy.data.meshes.new(name))
        scan["sapiens2_role"] = "scan"
        collection.objects.link(scan)
        bpy.context.scene.collection.children.link(bpy.data.collections.new("someone else's"))
        files.append(part("scene.files").save_blend(tmp_path / f"{name}.blend"))
    part("scene.files").new_file()
    return files


@pytest.mark.parametrize("link", [False, True])
def test_results_stand_on_a_grid_in_their_order(part, results, link):
    made = part("scene.library").gather(results, link=link, spacing=2)
    assert [ob.instance_collection.name for ob in made] == ["a", "b", "c"]
    assert [tuple(ob.location) for ob in made] == [(0, 0, 0), (2, 0, 0), (0, 2, 0)]
    assert all((ob.instance_collection.library is not None) == link for ob in made)
    assert all(ob.name in bpy.context.scene.collection.objects for ob in made)


def test_a_file_that_is_no_blend_brings_nothing_in(part, results, tmp_path):
    (tmp_path / "none.blend").write_text("no")
    with pytest.raises(part("core.errors").SapiensError, match=r"none\.blend could not be read"):
        part("scene.library").gather([*results, tmp_path / "none.blend"])
    assert not bpy.data.collections and not bpy.data.objects
