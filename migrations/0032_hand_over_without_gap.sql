-- Where a gate delivered nothing, or nothing is known of the one before, what it counted of a hand-over is told without a gap.
-- SQLite can loosen a check only by making the table anew; its rows, numbers and triggers are the same.
drop view failover_history;
create table failover_transition_new (
    sequence integer not null primary key autoincrement,
    at_us integer not null,
    kind text not null check (kind in (
        'ServerStarted', 'ServerStopped', 'ConfigurationChanged', 'ConfigurationUnusable',
        'Registered', 'Unregistered', 'Role', 'Mode', 'EndpointFailed', 'EndpointLost', 'EndpointRestored',
        'SteppedDown', 'RoleKept', 'AdapterState', 'EffectiveTimeout', 'HandOver',
        'Collector', 'Component', 'Egress')),
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
    round_trip_us integer check (round_trip_us >= 0),
    -- Of a hand-over: what lay between the last act of one and the first of the other, below zero where both acted.
    gap_us integer,
    check (gap_us is null or kind = 'HandOver')
) strict;
insert into failover_transition_new select * from failover_transition;
drop table failover_transition;
alter table failover_transition_new rename to failover_transition;
create trigger failover_transition_is_never_changed before update on failover_transition
begin select raise(abort, 'failover_transition is append-only'); end;
create trigger failover_transition_is_not_replaced before insert on failover_transition
when exists (select 1 from failover_transition where sequence = new.sequence)
begin select raise(abort, 'failover_transition is append-only'); end;
create trigger failover_transition_is_kept before delete on failover_transition
when old.at_us >= (select removable_before_us from history_retention)
begin select raise(abort, 'failover_transition is append-only'); end;
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
    case when gap_us is null then '' else printf('%.1f ms', gap_us / 1000.0) end as gap,
    sequence
from failover_transition
order by sequence;
