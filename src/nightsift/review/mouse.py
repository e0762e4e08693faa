"""Clicks, drags and the wheel of the review window."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nightsift.review.tiles import Box

if TYPE_CHECKING:
    from nightsift.review.view import ReviewWindow

# A hand that trembles is not dragging.
_DRAG_PX = 6


class Mouse:
    """What the mouse does to a window.

    Args:
        window: gets the clicks.
    """

    def __init__(self, window: ReviewWindow) -> None:
        self.window = window
        self.value = ""
        self._start: Any = None
        self._last: tuple[float, float] = (0, 0)
        self._dragging = False
        canvas = window.figure.canvas
        canvas.mpl_connect("button_press_event", self.on_press)
        canvas.mpl_connect("button_release_event", self.on_release)
        canvas.mpl_connect("motion_notify_event", self.on_move)
        canvas.mpl_connect("scroll_event", self.on_scroll)

    def on_press(self, event: Any) -> None:
        """Remember where; a double click opens and closes the large frame."""
        window = self.window
        self._start, self._dragging = event, False
        self._last = (event.x, event.y)
        if event.dblclick and window.blinking is None and window.painter.on_grid(event):
            self._start = None
            if window.is_large or self._tile_at(event) is not None:
                window.act(window.toggle_large)

    def on_move(self, event: Any) -> None:
        """Draw the box or the spell being dragged, pan, or tell the pixel's value."""
        window, start = self.window, self._start
        if start is not None:
            far = max(abs(event.x - start.x), abs(event.y - start.y)) > _DRAG_PX
            self._dragging = self._dragging or far
        if start is None or not self._dragging:
            if window.is_large and event.inaxes is window.large.axes:
                self.value = window.large.value_text(event.xdata, event.ydata)
                window.draw()
            return
        if start.inaxes is window.painter.strip.axes:
            window.painter.strip.show_drag(start.xdata, self._strip_x(event))
        elif window.is_large and start.inaxes is window.large.axes:
            window.large.pan(event.x - self._last[0], event.y - self._last[1])
            self._last = (event.x, event.y)
        elif window.painter.on_grid(start):
            box = self._box(event)
            window.painter.rubber.set(xy=box[:2], width=box.width, height=box.height, visible=True)
        window.figure.canvas.draw_idle()

    def on_release(self, event: Any) -> None:
        """Finish a click or a drag."""
        start, self._start = self._start, None
        window = self.window
        window.painter.rubber.set_visible(False)
        window.painter.strip.show_drag(None)
        if start is None or start.button != 1:
            return
        if start.inaxes is window.painter.strip.axes:
            window.act(lambda: self._on_strip(start, event))
        elif window.is_large:
            if not self._dragging and start.inaxes is window.large.axes:
                window.act(lambda: window.large.measure((start.xdata, start.ydata)))
        elif window.painter.on_grid(start) and window.blinking is None:
            window.act(lambda: self._on_tiles(start, event))

    def on_scroll(self, event: Any) -> None:
        """Turn pages, or zoom about the pixel under the mouse."""
        window = self.window
        if window.is_large and event.inaxes is window.large.axes:
            window.large.zoom(0.8 if event.step > 0 else 1.25, event.xdata, event.ydata)
        elif not window.is_large and window.blinking is None:
            window.state.turn(-1 if event.step > 0 else 1)
        window.draw()

    def _on_tiles(self, start: Any, event: Any) -> None:
        window, state = self.window, self.window.state
        frames = state.page_frames()
        if self._dragging:
            places = window.painter.layout.places_in(self._box(event, start))
            state.select([frames[place] for place in places if place < len(frames)])
            return
        if (frame := self._tile_at(start)) is not None:
            held = {*(start.modifiers or ()), *(start.key or "").split("+")}
            toggle = not held.isdisjoint({"ctrl", "control", "cmd"})
            state.click(frame, extend="shift" in held, toggle=toggle)

    def _on_strip(self, start: Any, event: Any) -> None:
        window, state = self.window, self.window.state
        first = window.painter.strip.frame_at(start.xdata)
        if self._dragging:
            last = window.painter.strip.frame_at(self._strip_x(event))
            spell = range(min(first, last), max(first, last) + 1)
            if not set(spell) <= set(state.visible):
                state.show("all")
            state.select(spell)
        else:
            state.click(first)
        window.blinking = None
        window.follow()

    def _strip_x(self, event: Any) -> float:
        return float(self.window.painter.strip.axes.transData.inverted().transform((event.x, 0))[0])

    def _tile_at(self, event: Any) -> int | None:
        frames = self.window.state.page_frames()
        place = self.window.painter.layout.place_at(*self.window.painter.grid_point(event))
        return frames[place] if place is not None and place < len(frames) else None

    def _box(self, event: Any, start: Any = None) -> Box:
        (x0, y0), (x1, y1) = (
            self.window.painter.grid_point(start or self._start),
            self.window.painter.grid_point(event),
        )
        x, y = min(x0, x1), min(y0, y1)
        return Box(round(x), round(y), round(abs(x1 - x0)), round(abs(y1 - y0)))
