-- What one role holds on one table, by whatever way: the columns of each command, and the commands of the whole table.
select
    tried.command,
    pg_catalog.has_table_privilege(%(role)s, %(relation)s::oid, tried.command) as on_table,
    array(
        select col.attname::text
        from pg_catalog.pg_attribute as col
        where
            col.attrelid = %(relation)s::oid
            and col.attnum > 0
            and not col.attisdropped
            and case
                when tried.command in ('delete', 'truncate', 'trigger')
                    then pg_catalog.has_table_privilege(%(role)s, %(relation)s::oid, tried.command)
                else pg_catalog.has_column_privilege(%(role)s, %(relation)s::oid, col.attnum, tried.command)
            end
    ) as column_names
from unnest(array['select', 'insert', 'update', 'delete', 'references']) as tried (command);
