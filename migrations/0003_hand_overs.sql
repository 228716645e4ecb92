-- What happened in the groups of the failover endpoint, one row a change, each with its one reason, what was
-- known of the members then, and the receipt of a hand-over. A promotion is in the same transaction as its seat.
create table endpoint_change (
    sequence integer not null primary key autoincrement,
    tenant text not null,
    namespace text not null,
    group_id text not null,
    at_us integer not null,
    kind text not null check (kind in (
        'Promoted', 'ToldToStop', 'SeatFreed', 'ChallengeBegan', 'ChallengeDropped', 'HandOver',
        'StoreWasSetBack', 'OverrideBegan', 'OverrideEnded', 'SessionContested', 'PoliciesDiffer')),
    reason text not null,
    explanation text not null,
    session_id text,
    epoch integer check (epoch > 0),
    asked_by text,
    -- A JSON array of {"Session", "Score", "HeardAgoMs", "Acting"}, in the order of registration.
    members text not null check (json_valid(members)),
    -- The receipt of a hand-over: who acted last, when, how that is known; when the new one acted first; and what
    -- lay between by the boot clock, below zero where both acted.
    from_session_id text,
    last_act_us integer,
    last_act text check (last_act in ('Said', 'LastHeartbeat')),
    first_act_us integer,
    gap_us integer,
    check ((kind = 'HandOver') = (gap_us is not null)),
    check ((gap_us is null) = (from_session_id is null)),
    check ((gap_us is null) = (last_act_us is null)),
    check ((gap_us is null) = (last_act is null)),
    check ((gap_us is null) = (first_act_us is null))
) strict;
create index endpoint_change_of_group on endpoint_change (tenant, namespace, group_id, sequence);

-- Append-only, apart from retention.
create trigger endpoint_change_is_never_changed before update on endpoint_change
begin select raise(abort, 'endpoint_change is append-only'); end;
create trigger endpoint_change_is_not_replaced before insert on endpoint_change
when exists (select 1 from endpoint_change where sequence = new.sequence)
begin select raise(abort, 'endpoint_change is append-only'); end;
create trigger endpoint_change_is_kept before delete on endpoint_change
when old.at_us >= (select removable_before_us from history_retention)
begin select raise(abort, 'endpoint_change is append-only'); end;

-- For people in the sqlite3 shell: one line a change, newest last.
create view group_history as
select
    strftime('%Y-%m-%d %H:%M:%f', at_us / 1000000.0, 'unixepoch') as time_utc,
    group_id as failover_group,
    kind as event,
    coalesce(session_id, '') as session,
    explanation,
    coalesce(epoch, '') as epoch,
    case when gap_us is null then '' else printf('%.1f ms', gap_us / 1000.0) end as gap,
    coalesce(asked_by, '') as asked_by,
    members,
    sequence
from endpoint_change
order by sequence;

-- Who asked for an override, and why.
alter table endpoint_override add column asked_by text check (length(asked_by) between 1 and 256);
alter table endpoint_override add column reason text check (length(reason) <= 1024);

-- Whether a Primary that an override asks for keeps its role although it is silent (the vendor's behaviour).
alter table endpoint_group add column keep_silent_override integer not null default 0
    check (keep_silent_override in (0, 1));

-- The two adapters of a hand-over write its receipt into their own history. SQLite can add a kind to a check only by
-- making the table anew; its rows, numbers and triggers are the same.
drop view failover_history;
create table failover_transition_new (
    sequence integer not null primary key autoincrement,
    at_us integer not null,
    kind text not null check (kind in (
        'ServerStarted', 'ServerStopped', 'ConfigurationChanged', 'ConfigurationUnusable',
        'Registered', 'Unregistered', 'Role', 'Mode', 'EndpointFailed', 'EndpointLost', 'EndpointRestored',
        'SteppedDown', 'RoleKept', 'AdapterState', 'EffectiveTimeout', 'HandOver')),
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
    check ((kind = 'HandOver') = (gap_us is not null))
) strict;
insert into failover_transition_new select *, null from failover_transition;
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
