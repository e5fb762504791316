"""Many results in one scene."""

import numpy as np
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
    with pytest.raises(part("core.common.errors").SapiensError, match=r"none\.blend could not be read"):
        part("scene.library").gather([*results, tmp_path / "none.blend"])
    assert not bpy.data.collections and not bpy.data.objects


def test_a_hundred_results_come_in_in_order(part, make_avatar, tmp_path):
    """As the documentation shows it: a hundred results of a batch in one scene, linked; then appended, named as their files."""
    files = part("scene.files")
    files.new_file()
    part("scene.build").write_avatars([make_avatar(24, 18, name="Person")], "Person")
    original = files.save_blend(tmp_path / "first.blend")
    paths = []
    for i in range(100):
        paths.append(tmp_path / f"{i:03d}.blend")
        paths[-1].write_bytes(original.read_bytes())
    for link in (True, False):
        files.new_file()
        made = part("scene.library").gather(paths, link=link, spacing=1.5)
        assert len(made) == 100 and len({tuple(ob.location) for ob in made}) == 100
        places = np.array([ob.location for ob in made])
        assert (places[:10, 0] == np.arange(10) * 1.5).all() and (places[::10, 1] == np.arange(10) * 1.5).all()
        assert all(len(ob.instance_collection.all_objects) == 3 for ob in made)
        assert len({ob.instance_collection for ob in made}) == 100
