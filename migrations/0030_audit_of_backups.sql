-- The audit trail tells of the database as a whole, too: of backups, and of what was put back.

drop view audit_trail;
drop trigger configuration_history_is_audited;
drop trigger audit_is_never_changed;
drop trigger audit_is_not_replaced;
drop trigger audit_is_kept;
alter table audit rename to audit_before;

create table audit (
    sequence integer not null primary key autoincrement,
    at_us integer not null,
    kind text not null check (kind in (
        'Configuration', 'Secret', 'User', 'Key', 'Database', 'Override', 'Group', 'Session', 'Refusal')),
    -- Of a change of the configuration: its row in configuration_history, which says all the rest.
    configuration_change integer,
    -- What was done; of a refusal, what it was for.
    action text,
    -- What it was done to; of a refusal, what was asked for.
    subject text,
    -- A user, `anonymous` where no login is needed, or who ran a command on the server's machine.
    requested_by text,
    -- An address; empty of a command on the server's machine.
    requested_from text,
    -- Of a refusal: what was answered, and how many alike this row stands for.
    status integer check (status between 400 and 499),
    times integer not null default 1 check (times > 0),
    check ((kind = 'Configuration') = (configuration_change is not null)),
    check ((kind = 'Configuration') = (action is null)),
    check ((action is null) = (subject is null) and (action is null) = (requested_by is null)),
    check ((kind = 'Refusal') = (status is not null))
) strict;

insert into audit select * from audit_before order by sequence;
drop table audit_before;

create trigger configuration_history_is_audited after insert on configuration_history
begin insert into audit (at_us, kind, configuration_change) values (new.at_us, 'Configuration', new.sequence); end;

-- Append-only, apart from retention.
create trigger audit_is_never_changed before update on audit
begin select raise(abort, 'audit is append-only'); end;
create trigger audit_is_not_replaced before insert on audit
when exists (select 1 from audit where sequence = new.sequence)
begin select raise(abort, 'audit is append-only'); end;
create trigger audit_is_kept before delete on audit
when old.at_us >= (select removable_before_us from history_retention)
begin select raise(abort, 'audit is append-only'); end;

-- For people in the sqlite3 shell: one line each, newest last.
create view audit_trail as
select
    strftime('%Y-%m-%d %H:%M:%f', audit.at_us / 1000000.0, 'unixepoch') as time_utc,
    audit.kind,
    coalesce(audit.action, change.action, '') as action,
    coalesce(audit.subject, change.facet || ' ' || change.configuration_id, '') as subject,
    coalesce(audit.requested_by, change.requested_by, '') as requested_by,
    coalesce(audit.requested_from, change.requested_from, '') as requested_from,
    coalesce(audit.status, '') as status,
    audit.times,
    coalesce(change.changes, '') as changes,
    audit.sequence
from audit left join configuration_history as change on change.sequence = audit.configuration_change
order by audit.sequence;
