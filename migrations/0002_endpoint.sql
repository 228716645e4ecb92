-- What the failover endpoint keeps: groups, sessions, role overrides, and who holds each group's seat.
-- A group is known by tenant, namespace and id; the on-premises base is the tenant and namespace ''.
-- Heartbeats are never written: only what must be known after a crash is here.

create table endpoint_group (
    tenant text not null,
    namespace text not null,
    id text not null check (length(id) between 1 and 256),
    name text check (length(name) between 1 and 256),
    description text check (length(description) <= 1024),
    failover_timeout_us integer not null check (failover_timeout_us between 250000 and 86400000000),
    -- A JSON object that is kept as it was given.
    additional_data text check (json_valid(additional_data)),
    -- What the additional data says about the choice of a Primary.
    margin integer check (margin between 1 and 100),
    dwell_us integer check (dwell_us between 0 and 86400000000),
    created_us integer not null,
    primary key (tenant, namespace, id),
    check ((tenant = '') = (namespace = ''))
) strict;

create table endpoint_session (
    tenant text not null,
    namespace text not null,
    group_id text not null,
    id text not null check (length(id) between 1 and 256),
    name text check (length(name) between 1 and 256),
    additional_data text check (json_valid(additional_data)),
    -- Rises with every registration in the group; the earliest wins among equal scores.
    registration integer not null check (registration > 0),
    created_us integer not null,
    primary key (tenant, namespace, group_id, id),
    foreign key (tenant, namespace, group_id) references endpoint_group (tenant, namespace, id)
        on delete cascade
) strict;

-- One override a group: the later one wins.
create table endpoint_override (
    tenant text not null,
    namespace text not null,
    group_id text not null,
    session_id text not null,
    -- By uptime within boot_id, by wall time after another boot; all null without an end.
    expires_us integer,
    expires_uptime_us integer,
    boot_id text,
    primary key (tenant, namespace, group_id),
    foreign key (tenant, namespace, group_id, session_id)
        references endpoint_session (tenant, namespace, group_id, id) on delete cascade,
    check ((expires_us is null) = (expires_uptime_us is null)),
    check ((expires_us is null) = (boot_id is null))
) strict;

-- The seat outlives its group and its session on purpose: whoever was answered Primary may still act.
create table endpoint_seat (
    tenant text not null,
    namespace text not null,
    group_id text not null,
    -- Null when the seat is free.
    session_id text,
    -- Null for a stock member, which does not name its runs.
    incarnation text,
    -- The highest epoch of the group; the holder's, where there is one.
    epoch integer check (epoch > 0),
    failover_timeout_us integer not null check (failover_timeout_us between 250000 and 86400000000),
    reason text not null,
    changed_us integer not null,
    primary key (tenant, namespace, group_id),
    check (session_id is not null or incarnation is null),
    check (session_id is null or epoch is not null)
) strict;

-- Rises with every write to endpoint_seat. The high-water mark beside the database has the same
-- number; where they differ, one of them was set back.
create table endpoint_counter (
    singleton integer not null primary key default 1 check (singleton = 1),
    seat_records integer not null default 0 check (seat_records >= 0)
) strict;
insert into endpoint_counter default values;
