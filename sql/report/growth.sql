-- The size of all tables together by day, from the snapshots that the daily maintenance takes.
select
    taken_on as day,
    sum(heap_bytes) as heap_bytes,
    sum(index_bytes) as index_bytes
from private.size_snapshots
where taken_on > current_date - 90
group by taken_on
order by taken_on;
