"""The checks of `parley doctor`: each looks at the real thing and says what to do about it."""
