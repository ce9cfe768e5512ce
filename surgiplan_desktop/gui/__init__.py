"""The window: the only place with Qt."""

from surgiplan_desktop.gui.none_guard import keep_none_alive

keep_none_alive()
