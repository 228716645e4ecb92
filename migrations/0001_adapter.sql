-- What the adapter half keeps: its one configuration, who changed it, what was observed, who it is.
-- Times are microseconds since 1970 in UTC, durations microseconds. Checks repeat the limits of the
-- domain, so that a row that cannot be read cannot be written by hand either.

-- The one client failover configuration. A second row is impossible.
create table client_failover_configuration (
    singleton integer not null primary key constraint one_configuration check (singleton = 1),
    id text not null check (length(id) between 1 and 256),
    failover_group_id text not null check (length(failover_group_id) between 1 and 256),
    name text check (length(name) between 1 and 256),
    description text check (length(description) <= 1024),
    failover_timeout_us integer not null check (failover_timeout_us between 250000 and 86400000000),
    mode text not null check (mode in ('Hot', 'Warm', 'Cold', 'None')),
    endpoint text not null,
    user_name text,
    -- Sealed: readable only with the key file.
    password blob,
    client_id text,
    client_secret blob,
    token_endpoint text,
    validate_endpoint_certificate integer not null check (validate_endpoint_certificate in (0, 1)),
    -- Rises with every change; tells an answer that belongs to an older configuration.
    revision integer not null check (revision > 0),
    check ((user_name is null) = (password is null)),
    check ((client_id is null) = (client_secret is null)),
    check (user_name is null or client_id is null)
) strict;

-- Who changed the configuration, from where, and how. Secrets are never in it, only that they changed.
create table configuration_history (
    sequence integer not null primary key autoincrement,
    at_us integer not null,
    action text not null check (action in ('Created', 'Replaced', 'Updated', 'Deleted')),
    configuration_id text not null,
    requested_by text not null,
    requested_from text,
    -- A JSON array of {"Member", "From", "To"}; a changed secret has the mask on both sides.
    changes text not null check (json_valid(changes))
) strict;

-- What was observed, one row an event, each with its one reason.
create table failover_transition (
    sequence integer not null primary key autoincrement,
    at_us integer not null,
    kind text not null check (kind in (
        'ServerStarted', 'ServerStopped', 'ConfigurationChanged', 'ConfigurationUnusable',
        'Registered', 'Unregistered', 'Role', 'Mode', 'EndpointFailed', 'EndpointLost', 'EndpointRestored',
        'SteppedDown', 'RoleKept', 'AdapterState', 'EffectiveTimeout')),
    reason text not null,
    explanation text not null,
    role text not null check (role in ('None', 'Secondary', 'Primary')),
    mode text check (mode in ('Hot', 'Warm', 'Cold', 'None')),
    adapter_state text not null check (adapter_state in ('Starting', 'Running', 'Stopped', 'Faulted')),
    failover_group_id text,
    session_id text,
    epoch integer check (epoch > 0),
    failover_score integer check (failover_score between 0 and 100),
    last_data_processed_us integer,
    round_trip_us integer check (round_trip_us >= 0)
) strict;

-- Who this adapter is towards every endpoint, and what it must still know after a crash.
create table session_identity (
    singleton integer not null primary key check (singleton = 1),
    session_id text not null check (length(session_id) between 1 and 256),
    -- The last run of the process; the next one names it to take over its session at once.
    incarnation text,
    -- The group this adapter was last registered in, the highest epoch it has known there,
    -- and whether it was Primary when last seen.
    endpoint text,
    failover_group_id text,
    epoch integer check (epoch > 0),
    was_primary integer not null default 0 check (was_primary in (0, 1))
) strict;

-- How far back history may be removed. Zero but inside the transaction that prunes.
create table history_retention (
    singleton integer not null primary key check (singleton = 1),
    removable_before_us integer not null
) strict;
insert into history_retention values (1, 0);

-- History is append-only, apart from retention.
create trigger configuration_history_is_never_changed before update on configuration_history
begin select raise(abort, 'configuration_history is append-only'); end;
create trigger failover_transition_is_never_changed before update on failover_transition
begin select raise(abort, 'failover_transition is append-only'); end;
-- `replace` removes a row without asking the triggers of delete.
create trigger configuration_history_is_not_replaced before insert on configuration_history
when exists (select 1 from configuration_history where sequence = new.sequence)
begin select raise(abort, 'configuration_history is append-only'); end;
create trigger failover_transition_is_not_replaced before insert on failover_transition
when exists (select 1 from failover_transition where sequence = new.sequence)
begin select raise(abort, 'failover_transition is append-only'); end;
create trigger configuration_history_is_kept before delete on configuration_history
when old.at_us >= (select removable_before_us from history_retention)
begin select raise(abort, 'configuration_history is append-only'); end;
create trigger failover_transition_is_kept before delete on failover_transition
when old.at_us >= (select removable_before_us from history_retention)
begin select raise(abort, 'failover_transition is append-only'); end;

-- For people in the sqlite3 shell: one line an event, newest last.
create view failover_history as
select
    strftime('%Y-%m-%d %H:%M:%f', at_us / 1000000.0, 'unixepoch') as time_utc,
    kind as event,
    role,
    coalesce(mode, '') as mode,
    explanation,
    coalesce(failover_group_id, '') as failover_group,
    coalesce(epoch, '') as epoch,
    coalesce(failover_score, '') as score,
    coalesce(strftime('%Y-%m-%d %H:%M:%f', last_data_processed_us / 1000000.0, 'unixepoch'), '')
        as last_data_processed_utc,
    case when round_trip_us is null then '' else printf('%.1f ms', round_trip_us / 1000.0) end as round_trip,
    coalesce(session_id, '') as session,
    sequence
from failover_transition
order by sequence;
