"""Prompts in PostgreSQL: one statement for each thing that is done with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from psycopg.sql import SQL
from typing_extensions import override
from uuid_utils.compat import uuid7

from parley_prompt_service.adapters.database import Database
from parley_prompt_service.core.model import Change, Draft, Position, Prompt, Title
from parley_prompt_service.core.ports import PromptStore

# Which prompt is the owner's active one.
ACTIVE = """coalesce(
        (select a.prompt_uid from active_prompts a where a.owner_id = %(owner)s),
        (select d.prompt_uid from system_prompts d
          where d.owner_id is null and d.prompt_id = 'default'))"""
# The columns of a Prompt, in its order.
PROMPT = """p.prompt_id, p.name, p.content, p.description, p.version,
    {active}, p.owner_id is null, p.created_at, p.updated_at"""
FRAGMENTS = {
    "active": SQL(ACTIVE),
    "prompt": SQL(PROMPT.replace("{active}", f"p.prompt_uid = {ACTIVE}")),
    # For what a statement activates itself: its snapshot is older than that.
    "active_prompt": SQL(PROMPT.replace("{active}", "true")),
    # What the first step of a statement hands to the next ones.
    "row": SQL(
        "p.prompt_uid, p.owner_id, p.prompt_id, p.name, p.content, p.description, p.version, "
        "p.created_at, p.updated_at"
    ),
    "visible": SQL("(p.owner_id = %(owner)s or p.owner_id is null)"),
    "insert": SQL("""
    insert into system_prompts as p
        (prompt_uid, owner_id, prompt_id, name, sort_name, content, description)
    values (%(uid)s, %(owner)s, %(slug)s, %(name)s, %(sort_name)s, %(content)s,
            %(description)s)"""),
    # A version for new content; that of old content is there already and is left alone.
    "version": SQL("""
    insert into system_prompt_versions (prompt_uid, owner_id, version, content)
    select prompt_uid, owner_id, version, content from p on conflict do nothing"""),
    "point": SQL("""
    insert into active_prompts (owner_id, prompt_uid) select %(owner)s, prompt_uid from p
    on conflict (owner_id) do update set prompt_uid = excluded.prompt_uid"""),
}


def composed(statement: str) -> str:
    """Fill the fragments into a statement."""
    return SQL(statement).format(**FRAGMENTS).as_string()


GET = composed("""
select {prompt} from system_prompts p
 where {visible} and p.prompt_id = %(prompt_id)s order by p.owner_id nulls last limit 1""")

PAGE = composed("""
select {prompt} from system_prompts p
 where {visible} and (p.sort_name, p.prompt_id) > (%(sort_name)s, %(prompt_id)s)
 order by p.sort_name, p.prompt_id limit %(limit)s""")

TAKEN = composed("""
select 1 from system_prompts p
 where {visible} and (p.prompt_id = %(slug)s or p.sort_name = %(sort_name)s)
   and p.prompt_id <> %(besides)s limit 1""")

CREATE = composed("""
with p as ({insert} on conflict do nothing returning {row}),
v as ({version})
select {prompt} from p""")

UPDATE = composed("""
with p as (
    update system_prompts p
       set name = coalesce(%(name)s, p.name),
           sort_name = coalesce(%(sort_name)s, p.sort_name),
           content = coalesce(%(content)s, p.content),
           description = coalesce(%(description)s, p.description),
           version = p.version + (p.content <> coalesce(%(content)s, p.content))::int,
           updated_at = now()
     where p.owner_id = %(owner)s and p.prompt_id = %(prompt_id)s returning {row}),
v as ({version})
select {prompt} from p""")

DELETE = """
delete from system_prompts where owner_id = %(owner)s and prompt_id = %(prompt_id)s returning 1"""

# The lock makes it wait for a deletion that is under way, instead of pointing at nothing.
ACTIVATE = composed("""
with p as (
    select {row} from system_prompts p
     where {visible} and p.prompt_id = %(prompt_id)s
     order by p.owner_id nulls last limit 1 for key share),
a as ({point})
select {active_prompt} from p""")

# On the path of every turn.
ACTIVE_PROMPT = composed("""
select {active_prompt} from system_prompts p where p.prompt_uid = {active}""")

SET_ACTIVE = composed("""
with p as ({insert}
    on conflict (owner_id, prompt_id) do update
       set content = excluded.content,
           version = p.version + (p.content <> excluded.content)::int,
           updated_at = now()
    returning {row}),
v as ({version}),
a as ({point})
select {active_prompt} from p""")


class PostgresPromptStore(PromptStore):
    """Keeps prompts in the schema `prompt`; nothing is cached, so replicas agree at once."""

    def __init__(self, database: Database) -> None:
        self.database = database

    @override
    async def get(self, owner: UUID, prompt_id: str) -> Prompt | None:
        return await self._one(GET, {"owner": owner, "prompt_id": prompt_id})

    @override
    async def page(self, owner: UUID, after: Position | None, limit: int) -> Sequence[Prompt]:
        place = after or Position("", "")
        values = {"owner": owner, "limit": limit, "sort_name": place.sort_name}
        rows = await self._all(PAGE, values | {"prompt_id": place.prompt_id})
        return [Prompt(*row) for row in rows]

    @override
    async def taken(self, owner: UUID, title: Title, besides: str) -> bool:
        values = {"slug": title.slug, "sort_name": title.sort_name, "besides": besides}
        return bool(await self._all(TAKEN, values | {"owner": owner}))

    @override
    async def create(self, draft: Draft) -> Prompt | None:
        return await self._one(CREATE, values_of(draft))

    @override
    async def update(self, owner: UUID, prompt_id: str, change: Change) -> Prompt | None:
        values = {
            "owner": owner,
            "prompt_id": prompt_id,
            "name": change.title and change.title.name,
            "sort_name": change.title and change.title.sort_name,
            "content": change.content,
            "description": change.description,
        }
        return await self._one(UPDATE, values)

    @override
    async def delete(self, owner: UUID, prompt_id: str) -> bool:
        values = {"owner": owner, "prompt_id": prompt_id}
        return bool(await self._all(DELETE, values))

    @override
    async def activate(self, owner: UUID, prompt_id: str) -> Prompt | None:
        return await self._one(ACTIVATE, {"owner": owner, "prompt_id": prompt_id})

    @override
    async def active(self, owner: UUID) -> Prompt:
        rows = await self._all(ACTIVE_PROMPT, {"owner": owner})
        return Prompt(*rows[0])

    @override
    async def set_active(self, draft: Draft) -> Prompt:
        rows = await self._all(SET_ACTIVE, values_of(draft))
        return Prompt(*rows[0])

    async def _one(self, statement: str, values: Mapping[str, Any]) -> Prompt | None:
        rows = await self._all(statement, values)
        return Prompt(*rows[0]) if rows else None

    async def _all(self, statement: str, values: Mapping[str, Any]) -> Sequence[tuple[Any, ...]]:
        """Run a statement in the name of the owner that it is about."""
        return await self.database.fetch(statement, values, values["owner"])


def values_of(draft: Draft) -> Mapping[str, Any]:
    """Return a draft as the parameters of a statement, with an id for its row."""
    return {
        "uid": uuid7(),
        "owner": draft.owner,
        "slug": draft.title.slug,
        "name": draft.title.name,
        "sort_name": draft.title.sort_name,
        "content": draft.content,
        "description": draft.description,
    }
