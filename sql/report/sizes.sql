-- Every table with its partitions, the largest first: what it takes, how often it was read and written.
select
    table_name,
    row_estimate,
    dead_rows,
    total_bytes,
    heap_bytes,
    index_bytes,
    sequential_scans,
    index_scans,
    rows_inserted,
    rows_updated,
    rows_deleted
from private.get_database_stats()
order by total_bytes desc, table_name asc;
