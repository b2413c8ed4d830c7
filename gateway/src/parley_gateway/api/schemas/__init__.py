"""What goes over HTTP: the truth of the OpenAPI document, and of what bodies may hold."""
