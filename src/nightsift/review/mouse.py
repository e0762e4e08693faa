"""Clicks, drags and the wheel of the review window."""

from __future__ import annotations

from typing import Any

from nightsift.review.actions import Actions
from nightsift.review.paint import Painter
from nightsift.review.tiles import Box

# A hand that trembles is not dragging.
_DRAG_PX = 6


class Mouse:
    """What the mouse does.

    Args:
        actions: what clicks and drags ask for.
        painter: knows what is drawn where.
    """

    def __init__(self, actions: Actions, painter: Painter) -> None:
        self.actions = actions
        self.painter = painter
        self._start: Any = None
        self._last: tuple[float, float] = (0, 0)
        self._dragging = False
        canvas = painter.figure.canvas
        canvas.mpl_connect("button_press_event", self.on_press)
        canvas.mpl_connect("button_release_event", self.on_release)
        canvas.mpl_connect("motion_notify_event", self.on_move)
        canvas.mpl_connect("scroll_event", self.on_scroll)

    def on_press(self, event: Any) -> None:
        """Remember where; a double click opens and closes the large frame."""
        actions = self.actions
        self._start, self._dragging = event, False
        self._last = (event.x, event.y)
        if event.dblclick and actions.blinking is None and self.painter.on_grid(event):
            self._start = None
            if actions.is_large or self._tile_at(event) is not None:
                actions.act(actions.toggle_large)

    def on_move(self, event: Any) -> None:
        """Draw the box or the spell being dragged, pan, or tell the pixel's value."""
        actions, painter, start = self.actions, self.painter, self._start
        if start is not None:
            far = max(abs(event.x - start.x), abs(event.y - start.y)) > _DRAG_PX
            self._dragging = self._dragging or far
        if start is None or not self._dragging:
            if actions.is_large and event.inaxes is actions.large.axes:
                actions.pixel_text = actions.large.value_text(event.xdata, event.ydata)
                actions.draw()
            return
        if start.inaxes is painter.strip.axes:
            painter.strip.show_drag(start.xdata, self._strip_x(event))
        elif actions.is_large and start.inaxes is actions.large.axes:
            actions.large.pan(event.x - self._last[0], event.y - self._last[1])
            self._last = (event.x, event.y)
        elif painter.on_grid(start):
            box = self._box(event, start)
            painter.rubber.set(xy=box[:2], width=box.width, height=box.height, visible=True)
        painter.figure.canvas.draw_idle()

    def on_release(self, event: Any) -> None:
        """Finish a click or a drag."""
        start, self._start = self._start, None
        actions, painter = self.actions, self.painter
        painter.rubber.set_visible(False)
        painter.strip.show_drag(None)
        if start is None or start.button != 1:
            return
        if start.inaxes is painter.strip.axes:
            actions.act(lambda: self._on_strip(start, event))
        elif actions.is_large:
            if not self._dragging and start.inaxes is actions.large.axes:
                actions.act(lambda: actions.large.measure((start.xdata, start.ydata)))
        elif painter.on_grid(start) and actions.blinking is None:
            actions.act(lambda: self._on_tiles(start, event))

    def on_scroll(self, event: Any) -> None:
        """Turn pages, or zoom about the pixel under the mouse."""
        actions = self.actions
        if actions.is_large and event.inaxes is actions.large.axes:
            actions.large.zoom(0.8 if event.step > 0 else 1.25, event.xdata, event.ydata)
        elif not actions.is_large and actions.blinking is None:
            actions.state.turn(-1 if event.step > 0 else 1)
        actions.draw()

    def _on_tiles(self, start: Any, event: Any) -> None:
        state = self.actions.state
        frames = state.page_frames()
        if self._dragging:
            places = self.painter.layout.places_in(self._box(event, start))
            state.select([frames[place] for place in places if place < len(frames)])
            return
        if (frame := self._tile_at(start)) is not None:
            held = {*(start.modifiers or ()), *(start.key or "").split("+")}
            toggle = not held.isdisjoint({"ctrl", "control", "cmd"})
            state.click(frame, extend="shift" in held, toggle=toggle)

    def _on_strip(self, start: Any, event: Any) -> None:
        actions, state, strip = self.actions, self.actions.state, self.painter.strip
        first = strip.frame_at(start.xdata)
        if self._dragging:
            last = strip.frame_at(self._strip_x(event))
            spell = range(min(first, last), max(first, last) + 1)
            if not set(spell) <= set(state.visible):
                state.show("all")
            state.select(spell)
        else:
            state.click(first)
        actions.blinking = None
        actions.follow()

    def _strip_x(self, event: Any) -> float:
        return float(self.painter.strip.axes.transData.inverted().transform((event.x, 0))[0])

    def _tile_at(self, event: Any) -> int | None:
        frames = self.actions.state.page_frames()
        place = self.painter.layout.place_at(*self.painter.grid_point(event))
        return frames[place] if place is not None and place < len(frames) else None

    def _box(self, event: Any, start: Any) -> Box:
        (x0, y0), (x1, y1) = self.painter.grid_point(start), self.painter.grid_point(event)
        x, y = min(x0, x1), min(y0, y1)
        return Box(round(x), round(y), round(abs(x1 - x0)), round(abs(y1 - y0)))
