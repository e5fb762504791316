"""How the first avatar of a scene is shown: what needs no window of it."""

from __future__ import annotations

from types import SimpleNamespace

import bpy
import numpy as np
import pytest
from mathutils import Euler

FROM = Euler((1.4, 0.0, 0.4)).to_quaternion()


@pytest.mark.parametrize(("width", "height"), [(560, 700), (1600, 700)])
@pytest.mark.parametrize("tall", [2.0, 0.2])
def test_a_result_fills_the_view_and_is_in_its_middle(part, width, height, tall):
    """Drawn with the perspective of the view, the vertices reach as far to both sides, and in one direction as far as wanted."""
    show = part("operators.show")
    bpy.ops.mesh.primitive_cone_add(radius1=0.5, depth=tall, location=(3.0, -1.0, 1.0))
    cone = bpy.context.object
    view = SimpleNamespace(view_rotation=FROM, view_location=None, view_distance=0.0)
    space, region = SimpleNamespace(region_3d=view, lens=50.0), SimpleNamespace(width=width, height=height)
    graph = bpy.context.evaluated_depsgraph_get
    show._fill_view(SimpleNamespace(space_data=space, region=region, evaluated_depsgraph_get=graph), [cone])
    points = np.array([cone.matrix_world @ vertex.co for vertex in cone.data.vertices])
    seen = (points - np.array(view.view_location)) @ np.array(FROM.to_matrix())
    drawn = seen[:, :2] / (view.view_distance - seen[:, 2:]) * space.lens / (show.SENSOR / 2)
    drawn *= max(width, height) / np.array([width, height])  # -1 to 1 over the view
    low, high = drawn.min(0), drawn.max(0)
    np.testing.assert_allclose(low + high, 0, atol=0.02)
    assert max(high) == pytest.approx(show.FILL, abs=0.02)


def test_nothing_leaves_the_view_where_it_is(part):
    view = SimpleNamespace(view_rotation=FROM, view_location=None)
    context = SimpleNamespace(
        space_data=SimpleNamespace(region_3d=view), region=None, evaluated_depsgraph_get=bpy.context.evaluated_depsgraph_get
    )
    part("operators.show")._fill_view(context, [])
    assert view.view_location is None


def test_a_view_that_was_saved_alone_goes_back_to_how_blender_comes(part, monkeypatch):
    """What it was before is not in the file; bones and outlines must not stay hidden."""
    show = part("operators.show")
    monkeypatch.setattr(show, "bpy", SimpleNamespace(ops=SimpleNamespace(view3d=SimpleNamespace(localview=lambda: None))))
    for bones, colour, after in (
        (False, "TEXTURE", (True, True, "MATERIAL", "Default")),
        (True, "TEXTURE", (True, False, "TEXTURE", "mine.sl")),
    ):
        shading = SimpleNamespace(type="SOLID", light="STUDIO", studio_light="mine.sl", color_type=colour)
        overlay = SimpleNamespace(show_bones=bones, show_outline_selected=False)
        space = SimpleNamespace(as_pointer=lambda: 9, shading=shading, overlay=overlay)
        show.show_everything(SimpleNamespace(space_data=space))
        found = overlay.show_bones, overlay.show_outline_selected, shading.color_type, shading.studio_light
        assert found == after, "a view that an artist made is theirs"
