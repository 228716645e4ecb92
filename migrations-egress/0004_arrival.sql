-- When something arrived last for a destination, in which boot, and since when what had arrived by then may have been kept by its
-- collector: by these a run that begins in the same boot knows of the break before it, also with an empty buffer. Written
-- from time to time, so it may have been a little later.
alter table destination add column last_boot_id text;
alter table destination add column since_uptime_us integer;
alter table destination add column last_uptime_us integer;
