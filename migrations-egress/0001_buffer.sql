-- What waits at the egress gate, in a database of its own (egress.db): what a collector sends never shares a disk
-- write with the adapter's roles and history. Times are microseconds: since boot where the name says uptime, else since
-- 1970 in UTC, for people.

-- How many requests a destination had in all, and how each of them was settled.
create table destination (
    id text not null primary key check (length(id) between 1 and 256),
    -- The highest sequence number that was given to an entry. Never goes back.
    last_sequence integer not null default 0 check (last_sequence >= 0),
    acknowledged integer not null default 0,
    refused integer not null default 0,
    dropped integer not null default 0,
    -- Left the buffer of a Secondary because the Primary was proved to have settled the same.
    proved integer not null default 0
) strict;

-- Requests that wait, in blocks: one for each destination and each commit, so that a thousand small requests cost one
-- row. What is settled is a number at the front: requests leave in the order in which they came.
create table block (
    id integer not null primary key autoincrement,
    destination text not null references destination (id),
    first_sequence integer not null check (first_sequence > 0),
    entries integer not null check (entries > 0),
    settled integer not null default 0 check (settled >= 0 and settled < entries),
    boot_id text not null,
    first_uptime_us integer not null,
    last_uptime_us integer not null check (last_uptime_us >= first_uptime_us),
    first_us integer not null,
    last_us integer not null,
    content blob not null
) strict;

-- For people in the sqlite3 shell: what waits, oldest first.
create view waiting as
select
    destination,
    first_sequence + settled as from_sequence,
    first_sequence + entries - 1 as to_sequence,
    entries - settled as requests,
    strftime('%Y-%m-%d %H:%M:%f', first_us / 1000000.0, 'unixepoch') as received_from_utc,
    strftime('%Y-%m-%d %H:%M:%f', last_us / 1000000.0, 'unixepoch') as received_to_utc,
    length(content) as bytes
from block
order by id;
