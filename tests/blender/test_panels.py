"""Every panel's code runs, in each of the faces, and asks only for what exists; how it looks is for the tests with a window."""

from __future__ import annotations

import time
from dataclasses import replace
from types import SimpleNamespace

import bpy
import pytest


class Layout:
    """Stands in for a UILayout: remembers what it was asked to draw and checks that it is there."""

    def __init__(self, seen, texts=None):
        self.__dict__.update(seen=seen, texts={} if texts is None else texts)  # of buttons: operator -> what it says

    def __getattr__(self, name):
        def draw(*arguments, **options):
            if name == "prop":
                owner, prop = arguments[:2]
                assert prop in owner.bl_rna.properties, (owner, prop)
                self.seen.append(prop)
            if name == "operator":
                category, verb = arguments[0].split(".")
                assert verb in dir(getattr(bpy.ops, category)), arguments[0]
                self.seen.append(arguments[0])
                self.texts[arguments[0]] = options.get("text", "")
                return SimpleNamespace()
            if name == "label":
                self.seen.append(options.get("text", ""))
            return Layout(self.seen, self.texts)

        return draw


def draw(part, label):
    panels, seen = part("panels"), []
    cls = next(cls for cls in panels.CLASSES if getattr(cls, "bl_label", "") == label)
    panel = SimpleNamespace(layout=Layout(seen))
    panel.start = lambda context: (panel.layout, context.scene.sapiens2)
    cls.draw(panel, bpy.context)
    return seen


LABELS = (
    *("Set Up", "Reference", "Model", "Run", "Maps", "Avatar", "Scan", "Texture", "Rig", "Retarget", "Bone Table", "Motion"),
    "Batch",
)


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize("model", ["preview", "0.8b"])
def test_every_panel_draws(part, label, model):
    settings = bpy.context.scene.sapiens2
    settings.network.model, settings.scan.resolution = model, "FACES"
    assert draw(part, label)
    settings.photo = "/a photo.jpg"
    settings.boxes.add()
    part("jobs").status.error = part("core.common.errors").SapiensError("It went wrong.", "Do this.")
    try:
        seen = draw(part, label)
    finally:
        part("jobs").status.error = None
    if label in ("Run", "Set Up"):
        assert "It went wrong." in seen and "Do this." in seen


@pytest.mark.parametrize(
    ("remedy", "detail", "buttons"),
    [
        ("", "", set()),
        ("cache", "", set()),
        ("runtime", "", {"sapiens2.log_open"}),
        ("", "Traceback", {"sapiens2.report_copy", "sapiens2.log_open"}),
    ],
)
def test_a_report_is_offered_of_what_nobody_expects_alone(part, remedy, detail, buttons):
    """A refusal with its next step is no fault of ours to report."""
    bpy.context.scene.sapiens2.photo = "/a photo.jpg"
    status = part("jobs").status
    status.error, status.detail = part("core.common.errors").SapiensError("It went wrong.", "Do this.", remedy), detail
    try:
        seen = draw(part, "Run") + draw(part, "Set Up")
    finally:
        status.error, status.detail = None, ""
    assert {name for name in ("sapiens2.report_copy", "sapiens2.log_open") if name in seen} == buttons


def test_the_bone_table_shows_every_role_in_few_letters(part, character):
    in_row, roles = part("panels.retarget").in_row, part("core.retarget.bone_map").ROLES
    short = [in_row(part("bone_table_rows").role_label(role)) for role in roles]
    assert len(set(short)) == len(roles) and max(map(len, short)) <= len("R Upper Arm") + 1, short
    assert {"L Thumb 1", "R Little 3", "L Upper Arm", "Hips"} <= set(short)
    settings = bpy.context.scene.sapiens2
    settings.retarget.armature = character("mixamo")
    settings.retarget.active_bone = [row.role for row in settings.retarget.bones].index("leftUpperArm")
    seen = draw(part, "Bone Table")
    assert "Left Upper Arm" in seen and "sapiens2.bones_add" in seen


def test_a_rig_of_unsure_joints_says_so(part, make_avatar):
    said = "The model was unsure of 5 of 12 body joints: check the rig against the photo."
    sure = make_avatar()
    part("scene.build").write_avatars([sure, replace(sure, name="Other", rig=replace(sure.rig, doubt=said))], "Photo")
    assert said in " ".join(draw(part, "Rig"))
    bpy.data.batch_remove([obj for obj in bpy.data.objects if "sapiens2_doubt" in obj])
    assert "unsure" not in " ".join(draw(part, "Rig"))


def test_the_avatars_are_listed_with_what_deletes_the_one_that_is_meant(part, make_avatar):
    settings = bpy.context.scene.sapiens2
    settings.predictions = "/made.safetensors"
    assert not part("panels.avatars").SAPIENS2_PT_avatars.poll(bpy.context)
    assert "place" not in draw(part, "Run"), "nothing to update"
    part("scene.build").write_avatars([make_avatar()], "Photo", source="/made.safetensors")
    assert "sapiens2.clear" in draw(part, "Avatars") and {"sapiens2.result_show", "place"} <= set(draw(part, "Run"))
    bpy.context.view_layer.objects.active = bpy.data.objects["Photo Scan"]
    bpy.ops.object.mode_set(mode="EDIT")
    assert not bpy.ops.sapiens2.clear.poll()
    bpy.ops.object.mode_set(mode="OBJECT")
    assert bpy.ops.sapiens2.clear() == {"FINISHED"}
    assert not part("panels.avatars").SAPIENS2_PT_avatars.poll(bpy.context) and not bpy.data.objects


@pytest.mark.parametrize(
    ("device", "sentence"),
    [("auto", "Needs 16 GB, Small Card has 8 GB"), ("cpu", "Needs 16 GB, this computer has 64 GB")],
)
def test_the_model_panel_looks_at_the_memory_of_the_chosen_device(part, monkeypatch, device, sentence):
    jobs, settings = part("jobs"), bpy.context.scene.sapiens2
    settings.network.model, settings.network.device = "0.8b", device
    installed = jobs.Installed((), ("pose",), 11 * 10**9, 10**9)
    devices = (("cuda:0", "Small Card", 8 * 10**9), ("cpu", "", 0))
    monkeypatch.setattr(jobs, "status", jobs.Status(models={"0.8b": installed}, memory=64 * 10**9, devices=devices))
    assert sentence in " ".join(draw(part, "Model"))


@pytest.mark.parametrize(("model", "shown"), [("preview", False), ("0.8b", True)])
def test_the_preview_has_no_settings_of_a_network(part, model, shown):
    bpy.context.scene.sapiens2.network.model = model
    assert ({"device", "precision", "flip_test", "draft"} <= set(draw(part, "Model"))) == shown


def test_focal_lengths_that_are_the_same_are_one_row(part, make_avatar):
    """Only what is different can be chosen."""
    sure = make_avatar()
    used = sure.camera.fx
    for other, rows in ((used * 1.0001, 1), (used * 1.5, 2)):
        bpy.data.batch_remove([*bpy.data.objects, *bpy.data.collections])
        lengths = {sure.camera.source: used, "exif": other}
        part("scene.build").write_avatars([replace(sure, focal_lengths=lengths)], "Photo")
        seen = draw(part, "Avatar")
        assert len([text for text in seen if text.endswith(" mm")]) == rows, seen
        assert seen.count("sapiens2.build_scan") == rows, "Rebuild, and one for each other focal length"


def test_the_panel_has_the_precisions_of_the_command_line(part):
    items = part("properties").SapiensNetwork.bl_rna.properties["precision"].enum_items
    commands = next(action for action in part("commands.cli").parser()._actions if isinstance(action.choices, dict)).choices
    known = next(action for action in commands["predict"]._actions if action.dest == "precision").choices
    assert [item.identifier for item in items] == list(known) and all(item.description for item in items)


@pytest.mark.parametrize(
    ("operator", "mixed_in"), [("scan", "ScanProperties"), ("texture", "TextureProperties"), ("rig", "RigProperties")]
)
def test_the_redo_panel_is_drawn_like_the_sidebar(part, operator, mixed_in):
    settings, seen = bpy.context.scene.sapiens2, []
    settings.scan.resolution, settings.scan.scale = "FACES", "STATURE"
    cls = getattr(part("operators.rebuild"), f"SAPIENS2_OT_build_{operator}")
    names = getattr(part("step_properties"), mixed_in).__annotations__
    values = {name: getattr(getattr(settings, operator), name) for name in names}
    rna = getattr(bpy.ops.sapiens2, cls.bl_idname.partition(".")[2]).get_rna_type()
    methods = {name: getattr(cls, name) for name in dir(cls) if name.startswith("draw_")}
    cls.draw(type("Redo", (), {"layout": Layout(seen), "bl_rna": rna, **methods, **values})(), bpy.context)
    assert set(seen) == set(values) - {"distance"}
    settings.scan.focal = 35  # 0 is drawn as a button in the sidebar
    panels = ("Avatar", "Scan") if operator == "scan" else (operator.capitalize(),)
    assert seen == [name for label in panels for name in draw(part, label) if name in values]


def test_what_an_avatar_has_stands_under_avatar_and_what_a_scan_alone_has_under_scan(part):
    names = set(part("step_properties").ScanProperties.__annotations__)
    of_scans = set(draw(part, "Scan")) & names
    assert of_scans == {"resolution", "quads", "detail", "close"}
    assert {"garments", "extent", "one_mesh", "texture_size", "known_person", "scale"} <= set(draw(part, "Avatar"))
    assert not of_scans & set(draw(part, "Avatar"))


def test_the_settings_of_a_scan_say_where_one_is_asked_for(part):
    settings, said = bpy.context.scene.sapiens2, "Choose Scan or Both in Run"
    for make, shown in (("avatar", True), ("scan", False), ("both", False)):
        settings.make = make
        assert (said in " ".join(draw(part, "Scan"))) == shown, make


@pytest.mark.parametrize(("outdated", "unfinished"), [(False, False), (True, False), (False, True)])
def test_the_preferences_offer_what_the_panel_offers(part, monkeypatch, outdated, unfinished):
    status, cls, texts = part("jobs").status, part("preferences").SapiensPreferences, {}
    for name, value in {"python": None, "outdated": outdated, "unfinished": unfinished}.items():
        monkeypatch.setattr(status, name, value)
    cls.draw(SimpleNamespace(layout=Layout([], texts), bl_rna=cls.bl_rna), bpy.context)
    offered = texts["sapiens2.runtime_install"]
    assert offered == part("panels.parts").runtime_button()
    assert offered == ("Update Runtime" if outdated else "Go On Installing" if unfinished else "Install Runtime")


def test_the_groups_of_settings_come_all_at_once(part):
    """A cancelled job leaves the file as it was, though Blender adds a group to the file when somebody first reads it."""
    draw(part, "Run")
    scene = bpy.context.scene
    stored = scene.bl_system_properties_get() if hasattr(scene, "bl_system_properties_get") else scene
    groups = {p.identifier for p in part("properties").SapiensSettings.bl_rna.properties if p.type == "POINTER"} - {
        "rna_type",
        "image",
    }
    assert len(groups) >= 7 and groups <= set(stored["sapiens2"].keys())


@pytest.fixture
def job(part, monkeypatch):
    """A job of the operator that builds textures, at work in its second half."""
    jobs = part("jobs")
    running = part("worker.job").Job("A Photo", asked_by="sapiens2.build_texture")
    running.state, running.stage, running.fraction = jobs.State.RUNNING, "colours", 0.55
    running.started = time.monotonic()
    monkeypatch.setattr(jobs, "current", lambda: running)
    return running


def faces_with(part, words):
    """The panels that say this."""
    faces = {label: draw(part, label) for label in (*LABELS, "Adjust") if label != "Set Up"}
    return {label for label, seen in faces.items() if words in seen and "sapiens2.cancel" in seen}


PLACES = [
    ("sapiens2.build_texture", "Texture"),
    ("sapiens2.build_scan", "Avatar"),
    ("sapiens2.pin_set", "Adjust"),
    ("sapiens2.batch", "Batch"),
    ("sapiens2.run", "Run"),
    ("sapiens2.import_predictions", "Run"),
]


@pytest.mark.parametrize(("operator", "label"), PLACES)
def test_a_job_is_shown_once_where_it_was_started_and_in_the_status_bar(part, job, operator, label):
    job.asked_by = operator
    header = SimpleNamespace(layout=Layout([]))
    part("panels.progress").draw_status(header, bpy.context)
    assert faces_with(part, "A Photo") == {label} and {"A Photo", "sapiens2.cancel"} <= set(header.layout.seen)


@pytest.mark.parametrize(("operator", "label"), PLACES)
def test_a_held_result_is_shown_once_where_it_was_asked_for_and_in_the_status_bar(part, monkeypatch, operator, label):
    jobs, said = part("jobs"), "A Photo: done, waiting for you"
    held = {part("worker.job").Job("A Photo", asked_by=operator): "Waits for the end of Move"}
    monkeypatch.setattr(jobs, "status", jobs.Status(held=held, python=jobs.status.python))
    header = SimpleNamespace(layout=Layout([]))
    part("panels.progress").draw_status(header, bpy.context)
    assert faces_with(part, said) == {label}
    assert {said, "sapiens2.write_now", "sapiens2.cancel"} <= set(header.layout.seen)


def test_each_operator_with_a_panel_of_its_own_shows_its_job_there(part, job):
    """Else its job would be in no panel at all."""
    for job.asked_by in part("panels.progress").IN_THEIR_PANELS:
        labels = {"Photo onto Mesh", "Adjust", *LABELS} - {"Set Up", "Run"}
        shown = [label for label in labels if "A Photo" in draw(part, label)]
        assert len(shown) == 1 and "A Photo" not in draw(part, "Run"), (job.asked_by, shown)


def test_a_build_that_follows_pins_is_theirs(part):
    rebuild, fake = part("operators.rebuild"), SimpleNamespace(in_place=True)
    assert rebuild.Rebuild._asked_by(fake) == "sapiens2.pin_set" in part("operators.pins").BUILDS


def test_the_status_bar_shows_the_way_to_the_tab_until_it_was_seen(part, monkeypatch):
    jobs = part("jobs")
    monkeypatch.setattr(jobs, "status", jobs.Status())

    def offered():
        header = SimpleNamespace(layout=Layout([]))
        part("panels.progress").draw_status(header, bpy.context)
        return "sapiens2.tab_open" in header.layout.seen

    assert offered()
    draw(part, "Set Up")
    assert not offered()
    monkeypatch.setattr(jobs, "status", jobs.Status(python="python"))
    assert not offered(), "who has a runtime has found it"


def test_a_job_says_waiting_only_while_it_waits(part, job):
    words, states = part("panels.progress").words, part("worker.job").State
    assert words(job) == "Colours 55%"
    job.stage, job.fraction = "", 0.0
    assert words(job) == "Working"
    job.state = states.WAITING
    assert words(job) == "Waiting"
    job.cancel_at = 1.0
    assert words(job) == "Stopping"


@pytest.mark.parametrize(("seconds", "words"), [(1, "5 s"), (62, "60 s"), (600, "10 min"), (9000, "2.5 h")])
def test_a_time_left_is_short(part, seconds, words):
    assert part("panels.progress").duration(seconds) == words


def test_an_error_is_shown_where_it_happened_until_it_is_about_something_else(part, worker):
    settings, jobs = bpy.context.scene.sapiens2, part("jobs")
    settings.photo = "/not there.jpg"
    with pytest.raises(RuntimeError, match="not there"):
        bpy.ops.sapiens2.people_find()
    said = jobs.status.error.message
    assert [said in " ".join(draw(part, label)) for label in ("Reference", "Run", "Batch")] == [True, False, False]
    assert "What went wrong is said in Reference" in " ".join(draw(part, "Run"))
    settings.photo = "/another.jpg"
    assert not any("wrong" in " ".join(draw(part, label)) for label in ("Reference", "Run"))


def test_each_error_is_in_the_tab_once(part, monkeypatch):
    jobs, places = part("jobs"), part("panels.progress").ERRORS_IN_THEIR_PANELS
    error = part("core.common.errors").SapiensError("It failed.", "Do this.")
    for operator in (*places, "sapiens2.run", "sapiens2.import_predictions"):
        monkeypatch.setattr(jobs, "status", jobs.Status(error=error, failed=operator, python="python"))
        shown = [label for label in (*LABELS, "Adjust") if label != "Set Up" and "It failed." in " ".join(draw(part, label))]
        assert shown == [places.get(operator, "Run")], operator
        assert ("said in" in " ".join(draw(part, "Run"))) == (operator in places), operator


def test_the_status_bar_leaves_room_for_the_hints_of_blender(part, monkeypatch, job):
    """A long name is cut, and of an error it has the way to the tab alone, until that is in sight."""
    progress, jobs = part("panels.progress"), part("jobs")

    def said():
        header = SimpleNamespace(layout=Layout([]))
        progress.draw_status(header, bpy.context)
        return header.layout.seen, header.layout.texts

    job.title = "IMG_20240301_the whole family in the garden"
    (cut,) = [text for text in said()[0] if text.startswith("IMG")]
    assert len(cut) <= progress.TITLE_LETTERS and cut.endswith("…") and progress.short("anna") == "anna"
    monkeypatch.setattr(jobs, "current", lambda: None)
    error = part("core.common.errors").SapiensError("The network stopped unexpectedly. " * 5, "Do this.")
    monkeypatch.setattr(jobs, "status", jobs.Status(error=error, python="python"))
    seen, texts = said()
    assert error.message not in seen and len(texts["sapiens2.tab_open"]) < 35
    monkeypatch.setattr(progress, "is_tab_in_sight", lambda _context: True)
    assert said()[0] == []


def test_the_tab_is_in_sight_where_a_sidebar_that_is_open_shows_it(part):
    sidebar = SimpleNamespace(type="UI", width=280, active_panel_category="Item")
    area = SimpleNamespace(type="VIEW_3D", regions=[sidebar, SimpleNamespace(type="WINDOW", width=900)])
    window = SimpleNamespace(screen=SimpleNamespace(areas=[area]))
    context = SimpleNamespace(window_manager=SimpleNamespace(windows=[window]))
    is_in_sight = part("panels.tab").is_tab_in_sight
    assert not is_in_sight(context)
    sidebar.active_panel_category = "Sapiens2"
    assert is_in_sight(context)
    sidebar.width = 1
    assert not is_in_sight(context), "a sidebar that is closed keeps its tab"


@pytest.mark.parametrize(("model", "failed", "offered"), [
    ("preview", "sapiens2.run", True), ("0.8b", "sapiens2.run", False), ("preview", "sapiens2.export", False),
])  # fmt: skip
def test_where_the_built_in_model_cannot_do_a_photo_the_other_is_offered(part, monkeypatch, model, failed, offered):
    jobs, settings = part("jobs"), bpy.context.scene.sapiens2
    settings.photo, settings.network.model = "/a photo.jpg", model
    error = part("core.common.errors").SapiensError("No person was found in a photo.jpg.", "Choose another photo.")
    away = jobs.Installed((), ("pose",), 3 * 10**9, 4 * 10**9)
    for models, words in (
        ({"0.4b": away}, "from 4.0 GB on, with a license"),
        ({"1b": replace(away, tasks=("seg",))}, "choose it"),
    ):
        monkeypatch.setattr(jobs, "status", jobs.Status(error=error, failed=failed, models=models, python="python"))
        assert (words in " ".join(draw(part, "Run"))) == offered


def test_an_error_of_working_offline_ends_when_blender_may_go_online(part, monkeypatch):
    jobs, parts = part("jobs"), part("panels.parts")
    error = part("core.common.errors").SapiensError("Blender is set to work offline.", "Allow it.", "network")
    monkeypatch.setattr(jobs, "status", jobs.Status(error=error))
    assert (parts.shown_error() is None) == bpy.app.online_access
    monkeypatch.setattr(parts, "bpy", SimpleNamespace(app=SimpleNamespace(online_access=True), context=bpy.context))
    assert parts.shown_error() is None


def test_notes_of_another_photo_are_not_shown(part, monkeypatch):
    jobs, settings = part("jobs"), bpy.context.scene.sapiens2
    monkeypatch.setattr(jobs, "status", jobs.Status(notes=("It is so.",), inputs=part("properties").inputs(settings)))
    assert "It is so." in " ".join(draw(part, "Run"))
    settings.photo = "/another.jpg"
    assert "It is so." not in " ".join(draw(part, "Run"))


def test_what_is_not_said_shows_as_automatic(part):
    """A press begins with a usual value, the cross goes back; the number itself is drawn only where it says something."""
    scan, buttons = bpy.context.scene.sapiens2.scan, []
    seen = []

    class Recorded(Layout):
        def operator(self, name, **options):
            buttons.append(SimpleNamespace(name=name, text=options.get("text", "")))
            return buttons[-1]

        def split(self, **_options):
            return self

        def row(self, **_options):
            return self

    part("setting_properties").draw_or_automatic(Recorded(seen), scan, "focal", 50.0)
    assert "focal" not in seen and buttons[-1].text == "Automatic"
    assert bpy.ops.wm.context_set_float(data_path=buttons[-1].data_path, value=buttons[-1].value) == {"FINISHED"}
    assert scan.focal == 50
    part("setting_properties").draw_or_automatic(Recorded(seen), scan, "focal", 50.0)
    assert "focal" in seen
    bpy.ops.wm.context_set_float(data_path=buttons[-1].data_path, value=buttons[-1].value)
    assert scan.focal == 0
