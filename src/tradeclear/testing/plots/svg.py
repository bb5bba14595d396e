"""A drawing as SVG text: a few shapes, one font, no script and no address of anything outside."""

from collections.abc import Iterable
from html import escape
from typing import Literal

Anchor = Literal["start", "middle", "end"]

INK = "#24292f"
FAINT = "#6e7781"
GRID = "#e4e7eb"
PAPER = "#ffffff"


class Drawing:
    """Shapes on a white page of `width` × `height`, in the order in which they were added."""

    def __init__(self, width: int, height: int) -> None:
        self._width, self._height = width, height
        self._shapes: list[str] = []

    def line(
        self, start: tuple[float, float], end: tuple[float, float], *, colour: str = GRID
    ) -> None:
        """A straight line, one pixel thick."""
        self._shapes.append(
            f'<line x1="{start[0]:.1f}" y1="{start[1]:.1f}" x2="{end[0]:.1f}" y2="{end[1]:.1f}" '
            f'stroke="{colour}"/>'
        )

    def path(
        self, points: Iterable[tuple[float, float]], *, colour: str, width: float = 1.5
    ) -> None:
        """A line through all points."""
        text = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self._shapes.append(
            f'<polyline points="{text}" fill="none" stroke="{colour}" stroke-width="{width}" '
            'stroke-linejoin="round"/>'
        )

    def rectangle(self, x: float, y: float, width: float, height: float, *, colour: str) -> None:
        """A filled rectangle."""
        self._shapes.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" '
            f'fill="{colour}"/>'
        )

    def text(
        self,
        x: float,
        y: float,
        words: str,
        *,
        colour: str = INK,
        size: int = 12,
        anchor: Anchor = "start",
        bold: bool = False,
    ) -> None:
        """Words; `y` is their base line."""
        weight = ' font-weight="600"' if bold else ""
        self._shapes.append(
            f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" font-size="{size}" '
            f'text-anchor="{anchor}"{weight}>{escape(words)}</text>'
        )

    def render(self, title: str) -> str:
        """The whole file; `title` is for those who can't see it."""
        return "\n".join(
            [
                f'<svg xmlns="http://www.w3.org/2000/svg" width="{self._width}" '
                f'height="{self._height}" viewBox="0 0 {self._width} {self._height}" role="img" '
                'font-family="system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif">',
                f"<title>{escape(title)}</title>",
                f'<rect width="100%" height="100%" fill="{PAPER}"/>',
                *self._shapes,
                "</svg>",
                "",
            ]
        )
