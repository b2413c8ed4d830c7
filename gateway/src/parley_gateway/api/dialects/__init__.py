"""Other vendors' own HTTP APIs, spoken over our services: every client of theirs is one of ours."""
