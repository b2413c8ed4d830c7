"""The wire of `/responses`, which OpenAI itself speaks: it keeps reasoning between replies."""
