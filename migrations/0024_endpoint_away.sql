-- The history of groups says when the endpoint itself was away: that it stopped (EndpointStopped), and that it is
-- back, and since when nobody was here (EndpointAway). SQLite can add a kind to a check only by making the table anew;
-- its rows, numbers and triggers are the same.
drop view group_history;
drop index endpoint_change_of_group;
create table endpoint_change_new (
    sequence integer not null primary key autoincrement,
    tenant text not null,
    namespace text not null,
    group_id text not null,
    at_us integer not null,
    -- Since when the endpoint was away; what happened from then until at_us is not known.
    since_us integer,
    kind text not null check (kind in (
        'Promoted', 'ToldToStop', 'SeatFreed', 'ChallengeBegan', 'ChallengeDropped', 'HandOver',
        'StoreWasSetBack', 'OverrideBegan', 'OverrideEnded', 'SessionContested', 'PoliciesDiffer',
        'EndpointStopped', 'EndpointAway')),
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
    -- When the gate of the former Primary delivered last, as it had said.
    last_delivered_us integer check (last_delivered_us is null or kind = 'HandOver'),
    check ((kind = 'EndpointAway') = (since_us is not null)),
    check ((kind = 'HandOver') = (gap_us is not null)),
    check ((gap_us is null) = (from_session_id is null)),
    check ((gap_us is null) = (last_act_us is null)),
    check ((gap_us is null) = (last_act is null)),
    check ((gap_us is null) = (first_act_us is null))
) strict;
insert into endpoint_change_new
select sequence, tenant, namespace, group_id, at_us, null, kind, reason, explanation, session_id, epoch, asked_by,
    members, from_session_id, last_act_us, last_act, first_act_us, gap_us, last_delivered_us
from endpoint_change;
drop table endpoint_change;
alter table endpoint_change_new rename to endpoint_change;
create index endpoint_change_of_group on endpoint_change (tenant, namespace, group_id, sequence);
create trigger endpoint_change_is_never_changed before update on endpoint_change
begin select raise(abort, 'endpoint_change is append-only'); end;
create trigger endpoint_change_is_not_replaced before insert on endpoint_change
when exists (select 1 from endpoint_change where sequence = new.sequence)
begin select raise(abort, 'endpoint_change is append-only'); end;
create trigger endpoint_change_is_kept before delete on endpoint_change
when old.at_us >= (select removable_before_us from history_retention)
begin select raise(abort, 'endpoint_change is append-only'); end;
create view group_history as
select
    strftime('%Y-%m-%d %H:%M:%f', at_us / 1000000.0, 'unixepoch') as time_utc,
    group_id as failover_group,
    kind as event,
    coalesce(session_id, '') as session,
    reason,
    explanation,
    coalesce(epoch, '') as epoch,
    case when gap_us is null then '' else printf('%.1f ms', gap_us / 1000.0) end as gap,
    coalesce(strftime('%Y-%m-%d %H:%M:%f', since_us / 1000000.0, 'unixepoch'), '') as away_since_utc,
    coalesce(asked_by, '') as asked_by,
    members,
    sequence
from endpoint_change
order by sequence;
