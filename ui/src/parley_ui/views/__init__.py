"""What is seen: one module for each part of the page."""
