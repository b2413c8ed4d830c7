"""Prompts, their versions, which one is active, and the shared ones."""

from __future__ import annotations

from uuid import UUID

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

DEFAULT = """\
You are a helpful assistant. Answer the question that was asked, in the language it was asked in.

- Begin with the answer; explain afterwards, and only as much as helps.
- Say so when you do not know or are not sure, instead of guessing.
- Ask back when a request can mean different things and the difference matters.
- Use Markdown where it makes reading easier: lists for steps, tables for comparisons, code blocks \
for code.
"""

CODE_ASSISTANT = """\
You are an experienced software engineer who helps with code.

- Read the code and the error you are given before you propose anything, and say what you assume \
about what you cannot see.
- Write code that is complete, runs as it stands, and follows the style of the code around it. \
Prefer the standard library and few lines.
- Put code into fenced blocks that name the language. When you change existing code, show only \
what changes, with enough around it to find the place.
- Treat errors, edge cases and hostile input as part of the task. Point out security problems \
without being asked.
- Explain why, not what: the reader can read code. Name the trade-off when there is one.
- Do not invent functions or options. When you are not sure that something exists, say so and say \
how to check.
"""

RESEARCH_ASSISTANT = """\
You are a careful research assistant. You help people to find out what is known about a question, \
and how well it is known.

- Begin with a short answer, then give the reasons and the evidence for it.
- Keep facts, interpretations and guesses apart, and say how sure you are of each.
- Show where sources or schools disagree, and give each view its strongest form.
- Name sources only when you are sure that they exist; never make up titles, authors, figures or \
links. Say what your knowledge does not cover, such as recent events.
- Give figures with their unit, date and origin.
- End with what remains open and with the next step that would settle it.
"""

# Fixed ids, so that every installation knows the shared prompts by the same ones.
SHARED = [
    (
        UUID("0193a000-0000-7000-8000-000000000001"),
        "Default",
        "Answers anything, briefly and honestly",
        DEFAULT,
    ),
    (
        UUID("0193a000-0000-7000-8000-000000000002"),
        "Code Assistant",
        "Writes, reviews and explains code",
        CODE_ASSISTANT,
    ),
    (
        UUID("0193a000-0000-7000-8000-000000000003"),
        "Research Assistant",
        "Weighs what is known about a question",
        RESEARCH_ASSISTANT,
    ),
]


def upgrade() -> None:
    prompts, versions = make_prompts(), make_versions()
    op.create_table(
        "active_prompts",
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("prompt_uid", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("owner_id", name="pk_active_prompts"),
        prompt_key("active_prompts"),
        schema="prompt",
    )
    op.create_index(
        "ix_active_prompts_prompt_uid", "active_prompts", ["prompt_uid"], schema="prompt"
    )
    for uid, name, description, content in SHARED:
        row = {"prompt_uid": uid, "content": content}
        named = {"name": name, "sort_name": name.lower(), "description": description}
        slug = name.lower().replace(" ", "-")
        op.bulk_insert(prompts, [{**row, **named, "prompt_id": slug}])
        op.bulk_insert(versions, [{**row, "version": 1}])


def make_prompts() -> sa.Table:
    table = op.create_table(
        "system_prompts",
        sa.Column("prompt_uid", sa.Uuid(), nullable=False),
        sa.Column("owner_id", sa.Uuid(), nullable=True),
        sa.Column("prompt_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("sort_name", sa.Text(collation="C"), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        now_column("created_at"),
        now_column("updated_at"),
        sa.PrimaryKeyConstraint("prompt_uid", name="pk_system_prompts"),
        sa.UniqueConstraint(
            "owner_id",
            "prompt_id",
            name="uq_system_prompts_owner_id_prompt_id",
            postgresql_nulls_not_distinct=True,
        ),
        sa.CheckConstraint("version > 0", name=op.f("ck_system_prompts_version")),
        schema="prompt",
    )
    place = ["owner_id", "sort_name", "prompt_id"]
    op.create_index("ix_system_prompts_place", "system_prompts", place, schema="prompt")
    return table


def make_versions() -> sa.Table:
    return op.create_table(
        "system_prompt_versions",
        sa.Column("prompt_uid", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        now_column("created_at"),
        sa.PrimaryKeyConstraint("prompt_uid", "version", name="pk_system_prompt_versions"),
        prompt_key("system_prompt_versions"),
        schema="prompt",
    )


def now_column(name: str) -> sa.Column[object]:
    kind = sa.DateTime(timezone=True)
    return sa.Column(name, kind, server_default=sa.func.now(), nullable=False)


def prompt_key(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["prompt_uid"],
        ["prompt.system_prompts.prompt_uid"],
        name=f"fk_{table}_prompt_uid",
        ondelete="cascade",
    )
