-- 05_report.sql: what became of every row of the legacy installation. Reads only.
--
--   copied           in the new table, as docs/upgrade.md maps it
--   adjusted         the same, but the new table cannot hold all of it: archive.unmigrated holds the row whole
--   superseded       its owner had made a newer one in its place: in archive.unmigrated
--   set_aside        breaks a rule of the new table: in archive.unmigrated
--   changed_since    copied, and changed by its owner afterwards
--   deleted_since    copied, and deleted by its owner or archived by maintenance afterwards
--   waiting          not copied yet: run 04_copy.sql again
--   wrong            differs, and nobody changed it. Must be 0

select
    fate.table_name,
    fate.parked,
    fate.copied,
    fate.adjusted,
    fate.superseded,
    fate.set_aside,
    fate.changed_since,
    fate.deleted_since,
    fate.waiting,
    fate.wrong
from legacy.report() as fate;

-- Why, and how often.
select
    kept.legacy_table,
    kept.outcome,
    kept.reason,
    count(*) as kept_rows
from archive.unmigrated as kept
group by kept.legacy_table, kept.outcome, kept.reason
order by kept.legacy_table, kept.outcome, count(*) desc;
