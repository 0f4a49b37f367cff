-- Every index: how large, how often used since the statistics began, whether it guards a rule besides.
select
    table_name,
    index_name,
    bytes,
    scans,
    last_scan,
    is_unique,
    is_valid,
    counted_since
from private.get_index_usage()
order by scans desc, bytes desc, index_name asc;
