"""The facts of the Driftline project: its parts, its plan and what its users reported, one row a thing."""

from __future__ import annotations

from typing import NamedTuple


class Component(NamedTuple):
    """A part of the program, and who looks after it."""

    name: str
    owner: str
    about: str


class Milestone(NamedTuple):
    """A release. Days are written YYYY-MM-DD; ``done`` is empty while it lies ahead."""

    name: str
    due: str
    done: str
    about: str


class Report(NamedTuple):
    """What a ticket says; who has it and what became of it follows in :mod:`content`."""

    summary: str
    component: str
    type: str
    priority: str
    text: str


COMPONENTS = (
    Component("charts", "bruno", "Drawing charts, symbols and soundings."),
    Component("documentation", "celia", "The manual and the help texts."),
    Component("import and export", "dmitri", "GPX, KML and the old binary format."),
    Component("installer", "dmitri", "Packages for all systems."),
    Component("interface", "celia", "Windows, menus and keyboard."),
    Component("routes", "bruno", "Finding and checking a passage."),
    Component("tides", "celia", "Predictions and tidal streams."),
)
MILESTONES = (
    Milestone("1.0", "2023-06-30", "2023-07-04", "The first release that leaves the harbour."),
    Milestone("1.1", "2023-11-15", "2023-11-20", "Tidal streams, and what the summer taught us."),
    Milestone("1.2", "2024-02-29", "", "Faster charts and fewer surprises."),
    Milestone("2.0", "2024-06-30", "", "Several boats, one plan."),
)
VERSIONS = (("0.9", "2023-03-01"), ("1.0", "2023-07-04"), ("1.1", "2023-11-20"))
PRIORITIES = ("blocker", "critical", "major", "minor", "trivial")
TYPES = ("defect", "enhancement", "task")

_C, _D, _X, _N, _U, _R, _T = (it.name for it in COMPONENTS)
REPORTS = (
    Report(
        "Chart turns black after zooming in twice",
        _C,
        "defect",
        "critical",
        "Zoom in two steps quickly and all is black.",
    ),
    Report(
        "Depth labels overlap near the coast", _C, "defect", "minor", "Close to land the numbers lie on each other."
    ),
    Report("Show lights with their sectors", _C, "enhancement", "major", "Coloured sectors would help at night."),
    Report("Night colours for the chart", _C, "enhancement", "minor", "Red on black, as on the bridge."),
    Report(
        "Symbols are blurred on dense screens", _C, "defect", "major", "Everything but text is soft at 200 percent."
    ),
    Report(
        "Keep the last view when a chart is reopened",
        _C,
        "enhancement",
        "trivial",
        "It always starts at the whole sheet.",
    ),
    Report("Loading a large chart freezes the window", _C, "defect", "blocker", "For twelve seconds nothing moves."),
    Report("Draw the scale bar in nautical miles", _C, "task", "minor", "Kilometres are of no use at sea."),
    Report("Wrong colour for drying heights", _C, "defect", "minor", "Green is expected, we draw yellow."),
    Report("Measure distance along a curve", _C, "enhancement", "minor", "The ruler only knows straight lines."),
    Report("Chapter about tidal gates is missing", _D, "task", "major", "The index names it, but it is not there."),
    Report("Screenshots in the manual show version 0.9", _D, "defect", "minor", "The toolbar looks different now."),
    Report("Translate the quick start into Norwegian", _D, "task", "trivial", "Two readers have offered to help."),
    Report("Explain the units of the route table", _D, "enhancement", "minor", "Minutes or decimal hours?"),
    Report("Dead link on the download page", _D, "defect", "major", "The signature cannot be fetched."),
    Report("Glossary of abbreviations", _D, "enhancement", "trivial", "CD, HAT, LAT and all the others."),
    Report("Manual does not mention keyboard shortcuts", _D, "task", "minor", "There are thirty of them."),
    Report("Describe how to report a bug", _D, "task", "minor", "Half of the reports lack a version."),
    Report("GPX export loses waypoint names", _X, "defect", "critical", "After the export they are called 1, 2, 3."),
    Report("Import of KML with folders fails", _X, "defect", "major", "Only the first folder is read."),
    Report("Export a route as a printable table", _X, "enhancement", "major", "For the day the battery dies."),
    Report(
        "Old binary files open with a shift of one minute",
        _X,
        "defect",
        "critical",
        "Longitude is off by a minute of arc.",
    ),
    Report("Remember the last export folder", _X, "enhancement", "trivial", "It asks from the top each time."),
    Report("Accents in names are garbled on import", _X, "defect", "major", "Files written on old machines."),
    Report("Drop support for format 2", _X, "task", "minor", "Nobody has sent such a file in a year."),
    Report("Import several files at once", _X, "enhancement", "minor", "One at a time takes an evening."),
    Report("Crash when the file to import is empty", _X, "defect", "blocker", "It should say that nothing is in it."),
    Report("Installer asks for a restart without need", _N, "defect", "minor", "Nothing in use is replaced."),
    Report("Package for arm64", _N, "task", "major", "For the small computers on board."),
    Report("Uninstalling leaves the chart cache behind", _N, "defect", "major", "Four gigabytes remain."),
    Report("Sign the packages", _N, "task", "critical", "Systems warn before they install it."),
    Report("Install without administrator rights", _N, "enhancement", "minor", "On a boat that is chartered."),
    Report("Progress bar stands still at 99 percent", _N, "defect", "trivial", "It is done long before."),
    Report("Check free space before unpacking", _N, "enhancement", "major", "It fails half way and leaves a mess."),
    Report("Wrong icon in the applications menu", _N, "defect", "trivial", "A gear wheel is shown."),
    Report("Undo does not restore deleted waypoints", _U, "defect", "critical", "They come back without their names."),
    Report("Dark theme", _U, "enhancement", "major", "White windows blind the helmsman."),
    Report(
        "Menu is cut off on small screens", _U, "defect", "major", "At 1024 by 600 the last entries are out of reach."
    ),
    Report("Tab order in the route dialog is wrong", _U, "defect", "minor", "From speed it jumps to cancel."),
    Report("Larger buttons for wet fingers", _U, "enhancement", "major", "Nothing can be hit under way."),
    Report("Search box for waypoints", _U, "enhancement", "minor", "With two hundred of them one scrolls for ever."),
    Report("Window opens outside of the screen", _U, "defect", "major", "After a second monitor was unplugged."),
    Report("Status bar shows the wrong time zone", _U, "defect", "minor", "UTC is shown and local time is meant."),
    Report("Rename the Plan menu to Passage", _U, "task", "trivial", "All the texts speak of passages."),
    Report("Tooltip covers the cursor", _U, "defect", "trivial", "One cannot see where one points."),
    Report(
        "Confirm before a route is deleted", _U, "enhancement", "critical", "A slip of the thumb cost me an evening."
    ),
    Report("Route crosses a traffic separation zone", _R, "defect", "blocker", "It goes straight against the traffic."),
    Report("Avoid restricted areas", _R, "enhancement", "critical", "Firing ranges should be gone round."),
    Report("Fuel estimate ignores the current", _R, "defect", "major", "Against the stream it is far too low."),
    Report("Compare two routes side by side", _R, "enhancement", "minor", "Around the island or through the sound?"),
    Report("Reverse a route with one click", _R, "enhancement", "minor", "For the way home."),
    Report("Arrival time is wrong across midnight", _R, "defect", "critical", "It shows yesterday."),
    Report("Route check takes minutes with many legs", _R, "defect", "major", "With more than fifty legs it crawls."),
    Report("Warn when a leg passes a shoal", _R, "enhancement", "blocker", "The draught is known, so is the depth."),
    Report("Weather along the route", _R, "enhancement", "major", "Wind arrows for each leg."),
    Report("Split the route module in two", _R, "task", "minor", "Finding and checking have little in common."),
    Report("Great circle option for long passages", _R, "enhancement", "trivial", "Nobody crosses oceans with it yet."),
    Report(
        "Tide curve starts at the wrong hour in summer",
        _T,
        "defect",
        "critical",
        "Daylight saving time is added twice.",
    ),
    Report("Secondary ports for the eastern sound", _T, "task", "major", "Eleven ports are missing."),
    Report("Height of tide at any moment", _T, "enhancement", "major", "Not only at high and low water."),
    Report("Predictions differ from the almanac by 20 cm", _T, "defect", "major", "At springs, in three ports."),
    Report("Show spring and neap on the calendar", _T, "enhancement", "minor", "A small moon would do."),
    Report("Tidal stream arrows point the wrong way", _T, "defect", "blocker", "They show where it comes from."),
    Report("Update harmonic constants for 2024", _T, "task", "critical", "The new table is out."),
    Report("Tide table prints on two pages", _T, "defect", "trivial", "One line is left for the second page."),
    Report("Let the user add a port", _T, "enhancement", "minor", "With constants from the harbour office."),
)
