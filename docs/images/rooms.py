"""Draws rooms.svg, the rooms and who imports whom, by `python docs/images/rooms.py`.

A box is a room, with the rooms inside it; an arrow goes down to a room that it imports from, unless
another way leads there. Dashed: named by a string. The ground floor is for all, without arrows.
"""

import ast
import textwrap
from html import escape
from pathlib import Path

ROOT = Path(__file__).parents[2]
FLOORS: tuple[tuple[str, ...], ...] = (
    ("cli", "experiments"),
    ("orchestration",),
    ("training", "serving", "reporting", "evaluation", "envs"),
    ("models", "data", "perturbations"),
)
"""Highest first; the ground floor is drawn below."""
FOLDERS = {"envs": "envs/uamsim_envs", "experiments": "experiments/uamsim_experiments"}
NAMED = (("evaluation", "envs"), ("cli", "experiments"))
"""What no import shows."""
PLAIN = {"templates"}
WIDTH, BOX_HEIGHT, GAP, MARGIN = 1000, 104, 46, 16


def folder(room: str) -> Path:
    """Where a room's files are."""
    return ROOT / FOLDERS.get(room, f"uamsim/{room}")


def rooms_inside(room: str) -> list[str]:
    """The folders of a room that hold more than what Python has compiled."""
    files = (f.relative_to(folder(room)) for f in folder(room).rglob("*") if f.is_file())
    found = {f.parts[0] for f in files if len(f.parts) > 1 and "__pycache__" not in f.parts}
    return sorted(found - PLAIN)


def imported(room: str) -> set[str]:
    """The rooms that a room's files import from."""
    found = set()
    for path in folder(room).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = []
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [f"{node.module}.{alias.name}" for alias in node.names]
            elif isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            found |= {name.split(".")[1] for name in names if name.startswith("uamsim.")}
    return found - {room}


def arrows() -> list[tuple[str, str]]:
    """Who imports whom, without what another way implies."""
    rooms = [room for floor in FLOORS for room in floor]
    direct = {room: imported(room) & set(rooms) for room in rooms}
    direct["experiments"] = {"orchestration"}

    def reached(room: str) -> set[str]:
        return direct[room].union(*map(reached, direct[room]))

    return [
        (room, other)
        for room in rooms
        for other in rooms
        if other in direct[room]
        and not any(other in reached(between) for between in direct[room] - {other})
    ]


def summary(room: str) -> str:
    """The first sentence of what a room says of itself."""
    text = ast.get_docstring(ast.parse((folder(room) / "__init__.py").read_text("utf-8"))) or ""
    return text.partition("\n")[0].rstrip(".")


def ground_floor() -> list[str]:
    """Modules and packages that every room may import."""
    rooms = {room for floor in FLOORS for room in floor} | {"testing", "experiment", "__init__"}
    names = {p.stem for p in (ROOT / "uamsim").iterdir() if p.suffix == ".py" or p.is_dir()}
    return sorted(names - rooms - {"__pycache__", "__main__"})


def box(
    x: float, y: float, width: float, height: float, title: str, says: str, inside: list[str]
) -> str:
    """A room as SVG."""
    fits = int((width - 16) / 5.9)
    lines = [*textwrap.wrap(says, fits), *textwrap.wrap(" · ".join(inside), fits)]
    parts = [
        f'<rect x="{x:.0f}" y="{y:.0f}" width="{width:.0f}" height="{height:.0f}" rx="6" '
        'fill="#f4f6f8" stroke="#51606f"/>',
        f'<text x="{x + 10:.0f}" y="{y + 20:.0f}" font-weight="bold">{escape(title)}</text>',
    ]
    for i, line in enumerate(lines):
        parts.append(
            f'<text x="{x + 10:.0f}" y="{y + 37 + 14 * i:.0f}" font-size="11" fill="#51606f">'
            f"{escape(line)}</text>"
        )
    return "\n".join(parts)


def line(start: tuple[float, float], end: tuple[float, float], *, dashed: bool) -> str:
    """An arrow from one place to another."""
    (x0, y0), (x1, y1) = start, end
    if y0 == y1:
        path = f"M{x0:.0f} {y0:.0f} L{x1 - 3:.0f} {y1:.0f}"
    else:
        middle = (y0 + y1) / 2
        path = (
            f"M{x0:.0f} {y0:.0f} C{x0:.0f} {middle:.0f} {x1:.0f} {middle:.0f} {x1:.0f} {y1 - 3:.0f}"
        )
    dashes = ' stroke-dasharray="4 3"' if dashed else ""
    return f'<path d="{path}" fill="none" stroke="#8795a3"{dashes} marker-end="url(#head)"/>'


def draw() -> str:
    """The whole picture."""
    places: dict[str, tuple[float, float, float]] = {}
    parts = []
    y = float(MARGIN)
    for floor in FLOORS:
        each = (WIDTH - MARGIN * (len(floor) + 1)) / len(floor)
        for i, room in enumerate(floor):
            x = MARGIN + i * (each + MARGIN)
            places[room] = (x, y, each)
        y += BOX_HEIGHT + GAP
    for room, other in [*arrows(), *NAMED]:
        (x, top, width), (other_x, other_top, other_width) = places[room], places[other]
        if top == other_top:
            half = top + BOX_HEIGHT / 2
            ends = (x + width, half), (other_x, half)
        else:
            # Where an arrow ends follows from where its other end is, so that few cross.
            leave = x + width * (0.1 + 0.8 * (other_x + other_width / 2) / WIDTH)
            arrive = other_x + other_width * (0.1 + 0.8 * (x + width / 2) / WIDTH)
            ends = (leave, top + BOX_HEIGHT), (arrive, other_top)
        parts.append(line(*ends, dashed=(room, other) in NAMED))
    parts += [
        box(x, top, width, BOX_HEIGHT, room, summary(room), rooms_inside(room))
        for room, (x, top, width) in places.items()
    ]
    parts.append(
        box(MARGIN, y, WIDTH - 2 * MARGIN, 56, "ground floor, for all", "", ground_floor())
    )
    height = y + 56 + MARGIN
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" '
        'font-family="sans-serif" font-size="14">\n'
        '<defs><marker id="head" markerWidth="8" markerHeight="8" refX="6" refY="4" orient="auto">'
        '<path d="M0 0L8 4L0 8z" fill="#8795a3"/></marker></defs>\n'
        f'<rect width="{WIDTH}" height="{height:.0f}" fill="#ffffff"/>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


if __name__ == "__main__":
    Path(__file__).with_suffix(".svg").write_text(draw(), encoding="utf-8")
