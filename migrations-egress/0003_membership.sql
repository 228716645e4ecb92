-- The group whose source is read: what was kept before this adapter came to it from another group is what that one's
-- source said, and nothing that is proved of this one's may let it go. One row, from the first group on.
create table membership (
    id integer not null primary key check (id = 1),
    group_id text not null check (length(group_id) between 1 and 256),
    -- In which boot, and when in it, this adapter came to the group; no time where it belonged to none before.
    boot_id text not null,
    moved_uptime_us integer
) strict;
