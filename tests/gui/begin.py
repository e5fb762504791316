"""The script that Blender is started with: settles the interface, then lets driver.py work."""

from __future__ import annotations

import sys
from pathlib import Path

import bpy

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))  # Blender does not look beside a script that it runs

import driver

preferences = bpy.context.preferences
preferences.view.show_splash = False
preferences.view.use_save_prompt = False
preferences.view.ui_scale = 1.0
preferences.system.use_region_overlap = False  # the sidebar beside the view, not over it: its pictures show no scene
driver.run()
