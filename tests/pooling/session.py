"""What a session holds that the next request on the same connection must not find."""

from collections.abc import Set

import psycopg

HELD = {
    "settings": "select name, setting from pg_settings where source = 'session'",
    # Those with a name of their own are in no list, and are empty where a transaction has set them.
    "own settings": "select name from unnest(%(own)s::text[]) as name where current_setting(name, true) <> ''",
    "identity": "select current_user::text, session_user::text where current_user <> session_user",
    "prepared statements": "select name, statement from pg_prepared_statements",
    "cursors": "select name from pg_cursors where is_holdable",
    "listening": "select channel from pg_listening_channels() as channel",
    "locks": "select objid::text from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()",
    "temporary tables": "select relname from pg_class where relnamespace = pg_my_temp_schema()",
}
# Every name with a dot that a function has in quotes: it might be a setting.
OWN = r"select array_agg(distinct word[1]) from pg_proc, regexp_matches(prosrc, '''(\w+(?:\.\w+)+)''', 'g') as word"


class Memory:
    """Of one session."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection
        ((self._own,),) = connection.execute(OWN).fetchall()

    def held(self) -> Set[tuple[str, str]]:
        """Everything that the session holds between two transactions, and did not when it began."""
        queries = [(what, query.encode()) for what, query in HELD.items()]
        return {
            (what, str(row)) for what, query in queries for row in self._connection.execute(query, {"own": self._own})
        }
