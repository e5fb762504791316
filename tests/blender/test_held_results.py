"""A result that arrives while the artist is in the middle of something is held, and written when the artist is free."""

from __future__ import annotations

from types import SimpleNamespace

import bpy
import pytest


def window(modal=(), playing=False, scrubbing=False, file_dialog=False, active=None):
    """What `operators.artist` looks at of a window."""
    operators = [SimpleNamespace(bl_idname=idname, name=name) for idname, name in modal]
    dialog = SimpleNamespace(active_operator=object() if file_dialog else None)
    browser = SimpleNamespace(type="FILE_BROWSER", spaces=SimpleNamespace(active=dialog))
    screen = SimpleNamespace(is_animation_playing=playing, is_scrubbing=scrubbing, areas=[browser])
    layer = SimpleNamespace(objects=SimpleNamespace(active=active))
    return SimpleNamespace(modal_operators=operators, screen=screen, view_layer=layer, scene=None)


def context(*windows):
    manager = SimpleNamespace(windows=list(windows))
    return SimpleNamespace(window_manager=manager, scene=bpy.context.scene, temp_override=bpy.context.temp_override)


BUSY = {
    "Move": {"modal": [("TRANSFORM_OT_translate", "Move")]},
    "Cube": {"active": SimpleNamespace(name="Cube", mode="EDIT")},
    "Head": {"active": SimpleNamespace(name="Head", mode="SCULPT")},
    "playing": {"playing": True, "active": SimpleNamespace(name="Cube", mode="OBJECT")},
    "file dialog": {"file_dialog": True, "modal": [("WM_OT_save_as_mainfile", "Save As")]},
}


@pytest.mark.parametrize("word", BUSY)
def test_whatever_the_artist_does_in_any_window_is_said(part, word):
    artist = part("operators.artist")
    assert word in artist.occupation(context(window(), window(**BUSY[word])))
    assert artist.occupation(context(window(modal=[("SAPIENS2_OT_run", "Make Avatar")]), window())) == ""


@pytest.mark.parametrize("operator", ["RENDER_OT_render", "OBJECT_OT_bake"])
def test_a_render_that_has_ended_is_waited_for_no_longer(part, operator):
    """Its operator stays in Blender's list until the pointer moves over its window."""
    ended = context(window(), window(modal=[(operator, "Render")]))
    assert part("operators.artist").occupation(ended) == ""


def test_who_does_not_want_to_wait_for_an_add_on_need_not(part):
    artist = part("operators.artist")
    endless = context(window(modal=[("SCREENCAST_OT_keys", "Screencast Keys")]))
    assert "Screencast Keys" in artist.occupation(endless)
    assert artist.occupation(endless, modal=False) == ""
    moving = {"playing": True}
    assert artist.occupation(context(window(**moving)), modal=False)


@pytest.fixture
def operator(part, monkeypatch):
    """An operator whose job is done, with a list of the scenes that its result was written into."""
    job_module, work = part("operators.job"), part("worker.job")

    class Fake(job_module.JobOperator):
        bl_idname = "sapiens2.fake"

        def __init__(self):
            self._job = work.Job("anna")
            self._job.state = work.State.DONE
            self._scene = bpy.context.scene.session_uid
            self.written, self.said = [], []

        def finish(self, _context, _job):
            self.written.append(bpy.context.scene.name)

        def report(self, level, text):
            self.said.append((level, text))

    fake = Fake()
    yield fake
    part("jobs").status.held.clear()
    part("jobs").status.error = None


TIMER = SimpleNamespace(type="TIMER")


def test_the_result_is_held_until_the_artist_is_free(part, operator):
    status = part("jobs").status
    for _ in range(3):
        assert operator.modal(context(window(**BUSY["Move"])), TIMER) == {"PASS_THROUGH"}
    assert operator.written == [] and "Move" in status.held[operator._job]
    assert not bpy.ops.sapiens2.run.poll() and bpy.ops.sapiens2.cancel.poll()
    assert operator.modal(bpy.context, TIMER) == {"FINISHED"}
    assert operator.written == ["Scene"] and not status.held


def test_a_held_result_can_be_dismissed(part, operator):
    operator.modal(context(window(**BUSY["Head"])), TIMER)
    assert bpy.ops.sapiens2.cancel() == {"FINISHED"}
    assert operator.modal(context(window(**BUSY["Head"])), TIMER) == {"CANCELLED"}
    assert operator.written == [] and not part("jobs").status.held


def test_a_result_goes_into_the_scene_that_it_was_asked_for(operator):
    other = bpy.data.scenes.new("Other")
    operator._scene = other.session_uid
    assert operator.modal(bpy.context, TIMER) == {"FINISHED"}
    assert operator.written == ["Other"] and bpy.context.scene.name == "Scene"
    bpy.data.scenes.remove(other)
    assert operator.modal(bpy.context, TIMER) == {"CANCELLED"}
    assert operator.written == ["Other"] and "gone" in operator.said[-1][1]


def test_a_mistake_of_ours_is_one_sentence(part, operator, monkeypatch):
    def broken(_context, _job):
        raise KeyError("spine.007")

    operator.finish = broken
    assert operator.modal(bpy.context, TIMER) == {"CANCELLED"}
    level, sentence = operator.said[-1]
    assert level == {"WARNING"} and "anna could not be written" in sentence and "Traceback" not in sentence
    assert "spine.007" in part("jobs").status.detail


def test_a_question_that_is_answered_with_no_ends_without_a_job(operator):
    operator._job = None
    operator.cancel(bpy.context)
    assert operator.said == []


@pytest.mark.parametrize("step", ["undo", "redo", "another file"])
def test_what_was_said_is_forgotten_with_what_it_was_about(part, step):
    status = part("jobs").status
    bpy.ops.ed.undo_push(message="before")
    bpy.ops.ed.undo_push(message="result")
    if step == "redo":
        bpy.ops.ed.undo()
    status.error, status.notes = part("core.common.errors").SapiensError("It failed."), ("A note.",)
    {"undo": bpy.ops.ed.undo, "redo": bpy.ops.ed.redo, "another file": bpy.ops.wm.read_homefile}[step]()
    assert status.error is None and status.notes == ()
