-- Who may log in, and to whom sessions of the failover endpoint belong.

create table user_account (
    name text not null primary key check (length(name) between 1 and 64),
    role text not null check (role in ('user', 'administrator')),
    -- argon2id, as PHC text: what it takes to check a password, and not the password.
    password_hash text not null check (password_hash like '$argon2id$%'),
    created_us integer not null,
    changed_us integer not null
) strict;

-- Rises with every change, so that a running server sees one without reading all accounts.
create table user_revision (
    singleton integer not null primary key check (singleton = 1),
    revision integer not null
) strict;
insert into user_revision (singleton, revision) values (1, 0);
create trigger user_account_is_added after insert on user_account
begin update user_revision set revision = revision + 1; end;
create trigger user_account_is_changed after update on user_account
begin update user_revision set revision = revision + 1; end;
create trigger user_account_is_removed after delete on user_account
begin update user_revision set revision = revision + 1; end;

-- A session that somebody made who was logged in; others have none. It outlives the account on purpose: another
-- user does not inherit it.
create table endpoint_session_owner (
    tenant text not null,
    namespace text not null,
    group_id text not null,
    session_id text not null,
    user_name text not null,
    primary key (tenant, namespace, group_id, session_id),
    foreign key (tenant, namespace, group_id, session_id)
        references endpoint_session (tenant, namespace, group_id, id) on delete cascade
) strict;
