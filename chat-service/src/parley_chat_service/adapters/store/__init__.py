"""The store: every statement that the service sends to PostgreSQL.

Columns are always named, and parameters always typed by casts: neither a newer schema nor a
value of another size changes a prepared plan.
"""
