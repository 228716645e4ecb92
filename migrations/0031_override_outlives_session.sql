-- A role override waits for its target while that is started anew, whose farewell removes its session. SQLite can take a
-- reference away only by making the table anew; its rows are the same.

create table endpoint_override_new (
    tenant text not null,
    namespace text not null,
    group_id text not null,
    session_id text not null check (length(session_id) between 1 and 256),
    -- By uptime within boot_id, by wall time after another boot; all null without an end.
    expires_us integer,
    expires_uptime_us integer,
    boot_id text,
    asked_by text check (length(asked_by) between 1 and 256),
    reason text check (length(reason) <= 1024),
    primary key (tenant, namespace, group_id),
    foreign key (tenant, namespace, group_id) references endpoint_group (tenant, namespace, id)
        on delete cascade,
    check ((expires_us is null) = (expires_uptime_us is null)),
    check ((expires_us is null) = (boot_id is null))
) strict;
insert into endpoint_override_new
select tenant, namespace, group_id, session_id, expires_us, expires_uptime_us, boot_id, asked_by, reason
from endpoint_override;
drop table endpoint_override;
alter table endpoint_override_new rename to endpoint_override;
